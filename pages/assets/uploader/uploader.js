// The Upload page's way to the server: files of any size, by the tus protocol.
//
// What is on its way lives in this module and not in the page's elements, so it goes on while
// another page of the dashboard is shown. The browser remembers where half an upload lies (tus's
// own notes) and which ones are in but not yet read (IN): after a closed tab the same file is
// chosen again and goes on from there.

const PARALLEL = 2;
const CHUNK = 32 * 1024 * 1024; // a proxy that buffers requests loses at most this much
const SMALL = 4 * 1024 * 1024; // goes along with its creation
const ROWS = 50;
const DAY_MS = 24 * 3600 * 1000;
const LONGEST_MS = 7 * DAY_MS; // one that grows every day is kept for longer than one
const IN = "satisface-uploads-in";

const items = []; // {file, name, size, modified, state, sent, sentence, upload, id, row}
const forgotten = new Set(); // ids: removed, or no longer on the server
let options = null; // {endpoint, pass, camera, largest, told, gone}
let page = null; // what is bound to the elements on show; null while another page is shown
let paused = false;
let trouble = ""; // why nothing moves, while something is being tried again
let retryTimer = 0;
let tries = 0;
let announced = ""; // what the page was told, {ids, busy} as JSON
let announceTimer = 0;
let leftOver = [];
const samples = []; // [ms, bytes] of the last seconds

const OPEN = new Set(["waiting", "looking", "sending"]);
const isOpen = (item) => OPEN.has(item.state);

export default function ({ data, parentElement, setStateValue }) {
  const first = options === null;
  const otherCamera = options !== null && options.camera !== data.camera;
  options = data;
  // What the server knows and not what was sent to it: that may have been while it restarted.
  announced = data.told;
  if (page === null || page.root !== parentElement) bind(parentElement);
  page.setStateValue = setStateValue;
  forget(data.gone);
  if (otherCamera) lookAgain();
  if (first) recall();
  if (trouble) retrySoon(0);
  render();
  announce();
  return () => {
    if (page?.root === parentElement) page = null;
  };
}

// --- what is on its way -------------------------------------------------------------------------

function add(files) {
  const there = new Set(items.filter((i) => i.state !== "failed").map(identity));
  const fresh = files.filter((i) => !there.has(identity(i)));
  for (const item of fresh) {
    Object.assign(item, { state: "waiting", sent: 0, sentence: "", upload: null, id: "" });
    if (item.file.problem) fail(item, item.file.problem);
    if (item.size > options.largest) fail(item, `is too large; at most ${bytes(options.largest)} can be uploaded.`);
    items.push(item);
  }
  if (!fresh.length) return;
  say(`${count(fresh.length, "file")} chosen.`);
  pump();
  announce();
}

const identity = (item) => `${item.name}\n${item.size}\n${item.modified ?? item.id}`;

function pump() {
  if (!trouble) clearTimeout(retryTimer);
  if (!paused && !trouble) {
    const busy = items.filter((i) => i.state === "sending" || i.state === "looking").length;
    for (const item of items.filter((i) => i.state === "waiting").slice(0, Math.max(PARALLEL - busy, 0))) send(item);
  }
  render();
}

async function send(item) {
  item.state = "looking";
  try {
    const tus = await library();
    if (!item.upload) {
      const known = await isKnown(item);
      if (item.state !== "looking") return; // removed or paused meanwhile
      if (known) {
        item.state = "known";
        item.sentence = known;
        settled(item);
        return;
      }
      item.upload = uploadOf(tus, item);
      const before = await item.upload.findPreviousUploads();
      const fresh = before.filter((u) => Date.now() - Date.parse(u.creationTime) < LONGEST_MS);
      if (fresh.length) item.upload.resumeFromPreviousUpload(fresh[fresh.length - 1]);
    }
    if (item.state !== "looking") return;
    item.state = "sending";
    item.upload.start();
  } catch (error) {
    if (item.state !== "looking") return;
    await interrupted(item, error.sentence);
  }
  render();
}

/** `sentence`: why, where it is not the connection. A file that cannot be read holds up no other. */
async function interrupted(item, sentence) {
  const { state } = item;
  const isThere = sentence || (await isReadable(item));
  if (item.state !== state) return; // removed or paused meanwhile
  if (!isThere) {
    fail(item, "was changed, moved or taken away; choose it again.");
    settled(item);
    return;
  }
  item.state = "waiting";
  stop(sentence ?? LOST);
}

/** Whether the browser can read on in a file: its card may be pulled, or it is still written. */
async function isReadable({ file, sent, size }) {
  const next = Math.min(sent, Math.max(size - 1, 0));
  try {
    await file.slice(next, next + 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

const LOST = "The connection is lost. It goes on by itself as soon as the server answers.";
const SIGNED_OUT = "You are signed out. Sign in again in another tab; then it goes on by itself.";

function uploadOf(tus, item) {
  return new tus.Upload(item.file, {
    endpoint: options.endpoint,
    metadata: { filename: item.name },
    chunkSize: CHUNK,
    uploadDataDuringCreation: item.size <= SMALL,
    removeFingerprintOnSuccess: true,
    retryDelays: [0, 1000],
    fingerprint: async () => `satisface ${options.endpoint} ${identity(item)}`,
    onBeforeRequest: (request) => request.setHeader("X-Upload-Pass", options.pass),
    // To the library nearly every error is the end of an upload; what is thrown here is not.
    onAfterResponse: (request, response) => throwPassing(response.getStatus(), response.getBody()),
    onShouldRetry: (error) => !(error.causingError?.sentence || permanent(error)),
    onChunkComplete: () => (tries = 0),
    onProgress: (sent) => {
      item.sent = Math.max(item.sent, sent);
      renderSoon();
    },
    onSuccess: () => {
      item.id = item.upload.url.split("/").pop();
      item.sent = item.size;
      item.state = "in";
      remember();
      settled(item);
    },
    onError: async (error) => {
      if (item.state !== "sending") return;
      if (permanent(error)) {
        fail(item, error.originalResponse.getBody().trim().replace(`${item.name}: `, ""));
        settled(item);
        return;
      }
      await interrupted(item, error.causingError?.sentence);
    },
  });
}

/** Throws for answers that say nothing of the upload: a pass or a sign-in that ran out, a server
that is started again, a line that was silent. */
function throwPassing(status, body) {
  if (status === 403) throw refused(body);
  if (status === 401) throw refused(SIGNED_OUT);
  if (isPassing(status)) throw new Error(String(status));
}

const isPassing = (status) => (status >= 500 && status !== 507) || [401, 408, 429].includes(status);

function refused(body) {
  const error = new Error("refused");
  error.sentence = body.trim();
  return error;
}

function permanent(error) {
  const status = error.originalResponse?.getStatus() ?? 0;
  return [400, 412, 413, 415, 507].includes(status);
}

function fail(item, sentence) {
  item.state = "failed";
  item.sentence = sentence || "could not be sent.";
}

function settled(item) {
  if (item.state === "failed") say(`${item.name}: ${item.sentence}`);
  if (item.state === "known") say(`${item.name}: ${item.sentence} Not sent again.`);
  if (!items.some(isOpen)) say(`All files are in: ${items.filter((i) => i.state === "in").length}.`);
  announce();
  pump();
}

function stop(sentence) {
  if (sentence !== trouble) say(sentence);
  trouble = sentence;
  // The page gives a new pass in place of one that ran out.
  if (sentence !== LOST) page?.setStateValue("refused", Date.now());
  retrySoon(Math.min(1000 * 2 ** tries++, 20000));
  render();
}

function retrySoon(delay) {
  clearTimeout(retryTimer);
  retryTimer = setTimeout(async () => {
    try {
      // What else it answers the upload will see itself.
      const answer = await fetch(options.endpoint, { method: "OPTIONS", cache: "no-store" });
      if (isPassing(answer.status)) throw new Error(String(answer.status));
    } catch {
      retrySoon(Math.min(1000 * 2 ** tries++, 20000));
      return;
    }
    if (trouble) say("It goes on.");
    trouble = "";
    samples.length = 0;
    pump();
  }, delay);
}

addEventListener("online", () => trouble && retrySoon(0));

function setPaused(wanted) {
  paused = wanted;
  say(paused ? "Paused." : "It goes on.");
  if (paused) {
    for (const item of items.filter((i) => i.state === "sending" || i.state === "looking")) {
      item.state = "waiting";
      item.upload?.abort();
    }
  } else {
    trouble = "";
    samples.length = 0;
  }
  pump();
}

function remove(item) {
  const place = items.indexOf(item);
  if (place < 0) return;
  items.splice(place, 1);
  item.row?.remove();
  item.state = "removed";
  item.upload?.abort().catch(() => {});
  const url = item.id ? `${options.endpoint}/${item.id}` : item.upload?.url;
  if (url) {
    const headers = { "Tus-Resumable": "1.0.0", "X-Upload-Pass": options.pass };
    fetch(url, { method: "DELETE", headers }).catch(() => {}); // a day later it is swept
  }
  drop(url);
  forgotten.add(item.id);
  remember();
  announce();
  pump();
}

// --- what the server has already ----------------------------------------------------------------

async function isKnown(item) {
  if (/\.zip$/i.test(item.name)) return ""; // its members are known, not the zip
  const query = new URLSearchParams({ camera: options.camera, size: item.size });
  if (!(await askKnown(query))) return "";
  query.set("sha256", await sha256(item));
  return (await askKnown(query)) || "";
}

async function askKnown(query) {
  const headers = { "X-Upload-Pass": options.pass };
  const answer = await fetch(`${options.endpoint}/known?${query}`, { headers, cache: "no-store" });
  if (!answer.ok) {
    throwPassing(answer.status, await answer.text());
    throw new Error(String(answer.status));
  }
  return (await answer.json()).known;
}

function sha256(item) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(`${options.endpoint}/client/hash-worker.js`);
    worker.onerror = reject;
    worker.onmessage = ({ data }) => {
      if (data.done === undefined || item.state !== "looking") worker.terminate();
      if (data.sha256) resolve(data.sha256);
      else if (data.error || item.state !== "looking") reject(new Error(data.error));
    };
    worker.postMessage(item.file);
  });
}

function lookAgain() {
  for (const item of items.filter((i) => i.state === "known")) item.state = "waiting";
  pump();
}

// --- what is remembered -------------------------------------------------------------------------

let loading = null;

function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${options.endpoint}/client/tus.min.js`;
    script.onload = () => resolve(window.tus);
    script.onerror = () => {
      loading = null;
      reject(new Error("tus.min.js"));
    };
    document.head.append(script);
  });
  return loading;
}

const remembered = () => JSON.parse(localStorage.getItem(IN) ?? "[]");

function remember() {
  const own = items
    .filter((i) => i.state === "in")
    .map(({ id, name, size, modified }) => ({ id, name, size, modified }));
  const known = new Set([...forgotten, ...own.map((i) => i.id)]);
  try {
    // Other tabs remember theirs at the same place.
    const others = remembered().filter((i) => !known.has(i.id));
    localStorage.setItem(IN, JSON.stringify([...others, ...own]));
  } catch {
    // Without its memory a browser only cannot go on after its tab was closed.
  }
}

function recall() {
  try {
    for (const { id, name, size, modified } of remembered())
      items.push({ id, name, size, modified, sent: size, state: "in", sentence: "" });
    leftOver = [];
    for (const key of Object.keys(localStorage).filter((k) => k.startsWith("tus::satisface "))) {
      const note = JSON.parse(localStorage.getItem(key));
      const age = Date.now() - Date.parse(note.creationTime);
      if (age > LONGEST_MS) localStorage.removeItem(key);
      else if (age < DAY_MS) leftOver.push({ key, name: note.metadata.filename });
    }
  } catch {
    // see remember()
  }
}

function drop(url) {
  try {
    for (const key of Object.keys(localStorage).filter((k) => k.startsWith("tus::satisface ")))
      if (url && JSON.parse(localStorage.getItem(key)).uploadUrl?.endsWith(url.split("/").pop()))
        localStorage.removeItem(key);
  } catch {
    // see remember()
  }
}

/** Uploads that the server has no more: they were taken in, or lay there for too long. */
function forget(ids) {
  for (const id of ids) forgotten.add(id);
  for (const item of items.filter((i) => ids.includes(i.id))) {
    items.splice(items.indexOf(item), 1);
    item.row?.remove();
  }
  if (ids.length) remember();
  // All was taken in: what is said of the others belongs to what is over.
  if (ids.length && !items.some((i) => isOpen(i) || i.state === "in"))
    for (const item of items.splice(0)) item.row?.remove();
}

/** Tell the page which uploads are in; not for each of a thousand small files by itself. */
function announce() {
  clearTimeout(announceTimer);
  const busy = items.some(isOpen);
  const given = { ids: items.filter((i) => i.state === "in").map((i) => i.id), busy };
  const text = JSON.stringify(given);
  if (text === announced) return;
  announceTimer = setTimeout(
    () => {
      if (!page) return; // told when the page is shown again
      announced = text;
      page.setStateValue("given", given);
    },
    busy && JSON.parse(announced).busy ? 3000 : 150,
  );
}

// --- what is shown ------------------------------------------------------------------------------

function bind(root) {
  const find = (selector) => root.querySelector(selector);
  page = { root, list: find(".list"), find, setStateValue: () => {} };
  for (const item of items) item.row = null;
  find(".fallback").hidden = true;
  find(".uploader").hidden = false;
  for (const kind of ["files", "folder"]) {
    const input = find(`input.${kind}`);
    find(`.choose-${kind}`).onclick = () => input.click();
    input.onchange = () => {
      add([...input.files].map((f) => given(f, f.webkitRelativePath)).filter(Boolean));
      input.value = "";
    };
  }
  find(".choose-folder").hidden = !("webkitdirectory" in find("input.folder")) || matchMedia("(hover: none)").matches;
  find(".pause").onclick = () => setPaused(!paused);
  const zone = find(".zone");
  zone.ondragover = (event) => {
    event.preventDefault();
    zone.classList.add("over");
  };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = async (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
    add(entries.length ? await walk(entries) : [...event.dataTransfer.files].map((f) => given(f)));
  };
}

/** Files of folders carry their way in their name; what a system hides is not footage. */
function given(file, path = "") {
  const name = path || file.name;
  return name.split("/").some((p) => p.startsWith(".") || p === "Thumbs.db")
    ? null
    : { file, name, size: file.size, modified: file.lastModified };
}

/** In the place of a file or folder that the browser may not look into. */
const unread = (name) => ({ name, size: 0, lastModified: 0, problem: "your computer does not let the browser read it." });

async function walk(entries) {
  const found = [];
  for (const entry of entries) {
    const name = entry.fullPath.replace(/^\//, "");
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(() => unread(name));
      found.push(given(file, name));
    } else {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)).catch(() => {
          found.push(given(unread(name), name));
          return [];
        });
        if (!some.length) break;
        found.push(...(await walk(some)));
      }
    }
  }
  return found.filter(Boolean);
}

let rendering = 0;

function renderSoon() {
  rendering ||= setTimeout(render, 250);
}

function render() {
  clearTimeout(rendering);
  rendering = 0;
  if (!page) return;
  page.find(".hint").textContent = `Up to ${bytes(options.largest)} a file. What was cut off goes on where it was.`;
  renderLeftOver();
  renderOverall();
  // Those that move stand first; what is in is listed by the page itself.
  const shown = items.filter((i) => i.state !== "in");
  shown.sort((a, b) => rank(a) - rank(b));
  const rows = shown.slice(0, ROWS);
  for (const item of items) if (item.row && !rows.includes(item)) item.row = void item.row.remove();
  rows.forEach((item, place) => {
    renderRow(item);
    if (page.list.children[place] !== item.row) page.list.insertBefore(item.row, page.list.children[place] ?? null);
  });
  const more = page.find(".more");
  more.hidden = shown.length <= ROWS;
  more.textContent = `… and ${count(shown.length - ROWS, "more file", "more files")}`;
}

const rank = (item) => ["failed", "known", "sending", "looking", "waiting"].indexOf(item.state);

function renderRow(item) {
  if (!item.row) {
    item.row = document.createElement("li");
    item.row.innerHTML =
      '<div class="what"><div class="name"></div><div class="state"></div><progress max="1"></progress></div>' +
      '<button type="button">Remove</button>';
    item.row.querySelector(".name").textContent = item.name;
    item.row.querySelector("progress").setAttribute("aria-label", item.name);
    const button = item.row.querySelector("button");
    button.setAttribute("aria-label", `Remove ${item.name}`);
    button.onclick = () => {
      remove(item);
      page?.find(".choose-files").focus();
    };
  }
  item.row.className = item.state;
  const part = item.size ? item.sent / item.size : 0;
  const bar = item.row.querySelector("progress");
  bar.hidden = !isOpen(item);
  bar.value = part;
  item.row.querySelector(".state").textContent = {
    waiting: item.sent ? `${percent(part)} of ${bytes(item.size)}, waiting` : `${bytes(item.size)}, waiting`,
    looking: "Looking whether it is there already …",
    sending: `${percent(part)} of ${bytes(item.size)}`,
    known: `${item.sentence} Not sent again.`,
    failed: `Not sent: ${item.sentence}`,
  }[item.state];
}

function renderOverall() {
  const wanted = items.filter((i) => isOpen(i) || i.state === "in");
  const open = wanted.filter(isOpen);
  const overall = page.find(".overall");
  overall.hidden = !open.length;
  if (!open.length) {
    paused = false;
    samples.length = 0;
    return;
  }
  const total = wanted.reduce((sum, i) => sum + i.size, 0);
  const sent = wanted.reduce((sum, i) => sum + i.sent, 0);
  const words = [`${wanted.length - open.length} of ${count(wanted.length, "file")}`, `${bytes(sent)} of ${bytes(total)}`];
  const rate = paused || trouble ? 0 : pace(sent);
  if (paused) words.push("paused");
  else if (rate > 0) words.push(`${bytes(rate)}/s`, `${time((total - sent) / rate)} left`);
  page.find(".figures").textContent = words.join(" · ");
  const bar = overall.querySelector("progress");
  bar.value = total ? sent / total : 0;
  page.find(".pause").textContent = paused ? "Go on" : "Pause";
  page.find(".trouble").hidden = !trouble;
  page.find(".trouble").textContent = trouble;
}

function renderLeftOver() {
  const box = page.find(".left-over");
  const names = leftOver
    .filter((note) => localStorage.getItem(note.key) && !items.some((i) => i.name === note.name))
    .map((note) => note.name);
  box.hidden = !names.length;
  const shown = names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
  box.textContent = `Not finished last time: ${shown}. Choose the same ${names.length === 1 ? "file" : "files"} again, and it goes on from there.`;
}

/** Bytes a second over the last ten seconds. */
function pace(sent) {
  const now = performance.now();
  samples.push([now, sent]);
  while (samples.length > 2 && now - samples[0][0] > 10000) samples.shift();
  const [then, before] = samples[0];
  return now - then > 1000 ? ((sent - before) / (now - then)) * 1000 : 0;
}

function say(sentence) {
  if (page) page.find(".spoken").textContent = sentence;
}

const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
const percent = (part) => `${Math.floor(100 * part)} %`;

function bytes(n) {
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]])
    if (n >= size) return `${(n / size).toFixed(n / size < 10 ? 1 : 0)} ${unit}`;
  return `${Math.round(n)} bytes`;
}

function time(seconds) {
  if (seconds >= 5400) return `${Math.round(seconds / 3600)} h`;
  if (seconds >= 90) return `${Math.round(seconds / 60)} min`;
  return `${Math.max(Math.round(seconds), 1)} s`;
}
