// Polygons over a picture. Points are fractions of its width and height. Everything a mouse can
// do, keys can: arrows move what has the focus (with Shift in large steps), Delete takes a corner
// or a zone away, Enter on a plus adds a corner, Ctrl+Z takes the last change back.

const SVG = "http://www.w3.org/2000/svg";
const WIDE = 1000;
const states = new WeakMap();

const copied = (zones) => zones.map((zone) => zone.map(([x, y]) => [x, y]));
const inside = (value) => Math.min(1, Math.max(0, value));
const has = (zones, zone) => zones.some((other) => JSON.stringify(other) === JSON.stringify(zone));
const percent = (value) => `${Math.round(100 * value)} %`;

function middle(zone) {
  const sum = zone.reduce(([a, b], [x, y]) => [a + x, b + y], [0, 0]);
  return sum.map((value) => value / zone.length);
}

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

class Editor {
  constructor(root) {
    this.root = root;
    this.board = root.querySelector(".board");
    this.told = root.querySelector(".told");
    this.buttons = Object.fromEntries(
      [...root.querySelectorAll("[data-do]")].map((button) => [button.dataset.do, button]),
    );
    for (const [name, button] of Object.entries(this.buttons)) {
      button.onclick = () => this[name]();
    }
    this.board.onkeydown = (event) => this.key(event);
    this.board.onpointerdown = (event) => this.grab(event);
    this.board.onpointermove = (event) => this.drag(event);
    this.board.onpointerup = this.board.onpointercancel = () => this.drop();
    this.board.onfocusout = (event) => {
      if (!this.drawing && !this.board.contains(event.relatedTarget)) this.focused = null;
    };
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.board);
  }

  show(data, save) {
    this.send = save;
    if (this.revision !== data.revision) {
      const own = JSON.stringify(data.zones) === this.sent;
      this.revision = data.revision;
      // What was saved here leaves the board alone: on it is what was drawn since, and may be held.
      if (!own) this.merge(data.zones);
      this.stored = JSON.stringify(data.zones);
      this.sent = null;
    }
    this.picture = data.picture;
    this.high = WIDE * data.height / data.width;
    this.focused = null;
    this.draw();
  }

  merge(stored) {
    // Of what is stored, all that was not deleted here; and what was drawn here.
    const [began, drawn] = [JSON.parse(this.stored ?? "[]"), this.zones ?? []];
    const kept = stored.filter((zone) => !has(began, zone) || has(drawn, zone));
    const added = drawn.filter((zone) => !has(began, zone) && !has(stored, zone));
    this.zones = copied([...kept, ...added]);
    this.before = [];
    this.chosen = this.zones.length ? 0 : -1;
  }

  // What has the focus, to be found again after drawing: ["corner", zone, place].
  focus(kind, zone, place) {
    this.focused = [kind, zone, place];
    this.chosen = zone;
    this.draw();
  }

  remember() {
    this.before.push(JSON.stringify(this.zones));
    if (this.before.length > 200) this.before.shift();
  }

  add() {
    this.remember();
    // A little aside of the last, so that it does not lie hidden under it.
    const aside = 0.04 * (this.zones.length % 5);
    const [left, right, top, bottom] = [0.35, 0.6, 0.35, 0.65].map((value) => value + aside);
    this.zones.push([[left, top], [right, top], [right, bottom], [left, bottom]]);
    this.focus("zone", this.zones.length - 1, 0);
    this.say(`Zone ${this.zones.length} added in the middle. Drag its corners, or move them with the arrow keys.`);
  }

  remove() {
    if (this.chosen < 0) return;
    this.remember();
    this.zones.splice(this.chosen, 1);
    this.say(`Zone ${this.chosen + 1} deleted. Undo brings it back.`);
    this.chosen = Math.min(this.chosen, this.zones.length - 1);
    this.focused = this.chosen < 0 ? null : ["zone", this.chosen, 0];
    this.draw();
  }

  undo() {
    if (!this.before.length) return;
    this.zones = JSON.parse(this.before.pop());
    this.chosen = Math.min(Math.max(this.chosen, 0), this.zones.length - 1);
    this.focused = null;
    this.say("The last change was taken back.");
    this.draw();
  }

  save() {
    // Rounded on the board as well: as it will be stored.
    this.zones = this.zones.map((zone) => zone.map((point) => point.map((v) => Math.round(v * 1e4) / 1e4)));
    this.sent = JSON.stringify(this.zones);
    this.send({ zones: this.zones, revision: this.revision });
  }

  say(sentence) {
    this.told.textContent = sentence;
  }

  move(zone, place, right, down) {
    const points = place === null ? this.zones[zone] : [this.zones[zone][place]];
    // As a whole it stops at the edge, and keeps its shape.
    const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
    right = Math.min(Math.max(right, -Math.min(...xs)), 1 - Math.max(...xs));
    down = Math.min(Math.max(down, -Math.min(...ys)), 1 - Math.max(...ys));
    for (const point of points) {
      point[0] = inside(point[0] + right);
      point[1] = inside(point[1] + down);
    }
  }

  insert(zone, place) {
    this.remember();
    const points = this.zones[zone];
    const [a, b] = [points[place], points[(place + 1) % points.length]];
    points.splice(place + 1, 0, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
    this.focus("corner", zone, place + 1);
    this.say(`Corner added; zone ${zone + 1} has ${points.length}.`);
  }

  cut(zone, place) {
    if (this.zones[zone].length <= 3) {
      this.say("A zone needs three corners. Delete zone takes all of it away.");
      return;
    }
    this.remember();
    this.zones[zone].splice(place, 1);
    this.focus("corner", zone, place % this.zones[zone].length);
    this.say(`Corner deleted; zone ${zone + 1} has ${this.zones[zone].length}.`);
  }

  key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      this.undo();
      return;
    }
    const on = this.of(event.target);
    if (!on) return;
    const { kind, zone, place } = on;
    const step = event.shiftKey ? 0.05 : 0.01;
    const ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key in ways && kind !== "between") {
      event.preventDefault();
      this.remember();
      this.move(zone, kind === "corner" ? place : null, ...ways[event.key]);
      this.focus(kind, zone, place);
      const [x, y] = kind === "corner" ? this.zones[zone][place] : middle(this.zones[zone]);
      this.say(`${percent(x)} across, ${percent(y)} down.`);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      if (kind === "corner") this.cut(zone, place);
      if (kind === "zone") { this.chosen = zone; this.remove(); }
    } else if ((event.key === "Enter" || event.key === " ") && kind === "between") {
      event.preventDefault();
      this.insert(zone, place);
    }
  }

  of(target) {
    const marked = target.closest ? target.closest("[data-kind]") : null;
    if (!marked) return null;
    return { kind: marked.dataset.kind, zone: Number(marked.dataset.zone), place: Number(marked.dataset.place) };
  }

  at(event) {
    const box = this.board.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  grab(event) {
    const on = this.of(event.target);
    if (!on || event.button) return;
    event.preventDefault();
    if (on.kind === "between") {
      this.insert(on.zone, on.place);
      on.kind = "corner";
      on.place += 1;
    } else {
      this.remember();
      this.focus(on.kind, on.zone, on.place);
    }
    this.held = { ...on, last: this.at(event) };
    this.board.setPointerCapture(event.pointerId);
  }

  drag(event) {
    if (!this.held) return;
    const [x, y] = this.at(event);
    const { kind, zone, place, last } = this.held;
    this.move(zone, kind === "corner" ? place : null, x - last[0], y - last[1]);
    this.held.last = [x, y];
    this.draw();
  }

  drop() {
    if (!this.held) return;
    this.held = null;
    // A click that moved nothing is no change.
    if (this.before[this.before.length - 1] === JSON.stringify(this.zones)) this.before.pop();
    this.draw();
  }

  draw() {
    if (!this.zones) return;
    const { board, high } = this;
    const unit = WIDE / (board.clientWidth || WIDE);
    board.setAttribute("viewBox", `0 0 ${WIDE} ${high}`);
    this.drawing = true;
    board.replaceChildren();
    this.drawing = false;
    if (this.picture) {
      element("image", { href: this.picture, width: WIDE, height: high, preserveAspectRatio: "none" }, board);
    }
    this.zones.forEach((zone, number) => this.drawZone(zone, number, unit));
    const changed = JSON.stringify(this.zones) !== this.stored;
    this.buttons.save.disabled = !changed;
    this.buttons.undo.disabled = !this.before.length;
    this.buttons.remove.disabled = this.chosen < 0;
    if (this.focused) {
      const [kind, zone, place] = this.focused;
      const again = board.querySelector(`[data-kind="${kind}"][data-zone="${zone}"][data-place="${place}"]`);
      if (again) again.focus({ preventScroll: true });
    }
  }

  drawZone(zone, number, unit) {
    const { board, high } = this;
    const place = ([x, y]) => [x * WIDE, y * high];
    const chosen = number === this.chosen;
    const about = { "data-zone": number, tabindex: 0, role: "button" };
    element("polygon", {
      ...about, "data-kind": "zone", "data-place": 0, class: chosen ? "zone chosen" : "zone",
      points: zone.map((point) => place(point).join(",")).join(" "),
      "aria-label": `Zone ${number + 1} of ${this.zones.length}, ${zone.length} corners`,
    }, board);
    const [x, y] = place(middle(zone));
    element("text", { class: "name", x, y, "font-size": 15 * unit }, board).textContent = `Zone ${number + 1}`;
    if (!chosen) return;
    zone.forEach((point, n) => {
      const next = zone[(n + 1) % zone.length];
      const [cx, cy] = place(middle([point, next]));
      const between = element("g", {
        ...about, "data-kind": "between", "data-place": n, class: "between",
        "aria-label": `Add a corner between corners ${n + 1} and ${((n + 1) % zone.length) + 1}`,
      }, board);
      const arm = 4 * unit;
      element("circle", { class: "grip", cx, cy, r: 14 * unit }, between);
      element("circle", { class: "dot", cx, cy, r: 7 * unit }, between);
      element("path", { d: `M${cx - arm} ${cy}h${2 * arm}M${cx} ${cy - arm}v${2 * arm}` }, between);
    });
    zone.forEach((point, n) => {
      const [cx, cy] = place(point);
      const corner = element("g", {
        ...about, "data-kind": "corner", "data-place": n, class: "corner",
        "aria-label": `Zone ${number + 1}, corner ${n + 1} of ${zone.length}, ${percent(point[0])} across, ${percent(point[1])} down`,
      }, board);
      element("circle", { class: "grip", cx, cy, r: 20 * unit }, corner);
      element("circle", { class: "dot", cx, cy, r: 8 * unit }, corner);
    });
    board.querySelectorAll(".corner, .between").forEach((handle) => {
      handle.onfocus = () => { const on = this.of(handle); this.focused = [on.kind, on.zone, on.place]; };
    });
    board.querySelectorAll(".zone").forEach((shape) => {
      shape.onfocus = () => {
        const on = this.of(shape);
        if (this.chosen !== on.zone) this.focus("zone", on.zone, 0);
      };
    });
  }
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let editor = states.get(parentElement);
  if (!editor) {
    editor = new Editor(parentElement.querySelector(".editor"));
    states.set(parentElement, editor);
  }
  editor.show(data, (drawn) => setTriggerValue("saved", drawn));
}
