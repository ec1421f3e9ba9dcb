// SHA-256 of a file of any size, slice by slice, beside the page: SubtleCrypto takes whole files only.
importScripts("sha256.umd.min.js");

const SLICE = 4 * 1024 * 1024;

onmessage = async ({ data: file }) => {
  try {
    const running = await self.hashwasm.createSHA256();
    for (let begin = 0; begin < file.size; begin += SLICE) {
      running.update(new Uint8Array(await file.slice(begin, begin + SLICE).arrayBuffer()));
      postMessage({ done: Math.min(begin + SLICE, file.size) });
    }
    postMessage({ sha256: running.digest() });
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
