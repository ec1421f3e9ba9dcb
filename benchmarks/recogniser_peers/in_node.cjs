// human and face-api from npm, in a process of their own: node in_node.cjs THREADS WHICH FOLDER
// Speaks the words of serving.py. FOLDER: where npm installed them.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { createRequire } = require('node:module');

const SIDE = 48;
const PIXELS = SIDE * SIDE;
const CLASSES = 7;
const [, , threads, which, folder] = process.argv;
const installed = createRequire(path.join(folder, 'package.json'));
const tf = installed('@tensorflow/tfjs');
const wasm = installed('@tensorflow/tfjs-backend-wasm');
const packages = path.join(folder, 'node_modules');

const answer = (value) => process.stdout.write(`@satisface ${JSON.stringify(value)}\n`);

// As src/gear/emotion.ts: bilinear to the network's size, weighted grey of 0..1, then -1..1.
async function human() {
  const file = path.join(packages, '@vladmandic/human/models/emotion.json');
  const json = JSON.parse(fs.readFileSync(file, 'utf8'));
  const weights = fs.readFileSync(file.replace('.json', '.bin'));
  const model = await tf.loadGraphModel(tf.io.fromMemory({
    modelTopology: json.modelTopology,
    weightSpecs: json.weightsManifest.flatMap((group) => group.weights),
    weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength),
    signature: json.signature,
    userDefinedMetadata: json.userDefinedMetadata,
  }));
  const side = model.inputs[0].shape[2];
  const rgb = tf.tensor1d([0.2989, 0.5870, 0.1140]);
  return async (faces) => {
    const out = tf.tidy(() => {
      const images = tf.tensor4d(coloured(faces, 1 / 255), [faces.length / PIXELS, SIDE, SIDE, 3]);
      const grey = tf.sum(tf.mul(tf.image.resizeBilinear(images, [side, side]), rgb), 3, true);
      return model.execute(tf.mul(tf.sub(grey, 0.5), 2));
    });
    const values = await out.data();
    out.dispose();
    return values;
  };
}

async function faceApi() {
  const library = installed('@vladmandic/face-api/dist/face-api.node-wasm.js');
  const net = library.nets.faceExpressionNet;
  await net.loadFromDisk(path.join(packages, '@vladmandic/face-api/model'));
  const labels = ['neutral', 'happy', 'sad', 'angry', 'fearful', 'disgusted', 'surprised'];
  return async (faces) => {
    const images = [];
    for (let start = 0; start < faces.length; start += PIXELS) {
      images.push(tf.tensor3d(coloured(faces.subarray(start, start + PIXELS), 1), [SIDE, SIDE, 3]));
    }
    const found = await net.predictExpressions(images);
    tf.dispose(images);
    return Float32Array.from(found.flatMap((face) => labels.map((label) => face[label])));
  };
}

function coloured(faces, scale) {
  const values = new Float32Array(faces.length * 3);
  for (let i = 0; i < faces.length; i++) values.fill(faces[i] * scale, 3 * i, 3 * i + 3);
  return values;
}

async function timed(faces, batch, seconds, read) {
  const size = batch * PIXELS;
  const batches = Math.floor(faces.length / size);
  await read(faces.subarray(0, size));
  let done = 0;
  let spent = 0;
  const began = performance.now();
  while (spent < seconds) {
    const start = ((done / batch) % batches) * size;
    await read(faces.subarray(start, start + size));
    done += batch;
    spent = (performance.now() - began) / 1000;
  }
  return { faces: done, seconds: spent };
}

async function main() {
  wasm.setThreadsCount(Number(threads));
  await tf.setBackend('wasm');
  await tf.ready();
  const read = await (which === 'human' ? human() : faceApi());
  answer({ ready: 1 });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const wish = JSON.parse(line);
    const faces = new Uint8Array(fs.readFileSync(wish.in));
    if (wish.do === 'time') {
      answer(await timed(faces, wish.batch, wish.seconds, read));
      continue;
    }
    const out = new Float32Array((faces.length / PIXELS) * CLASSES);
    for (let start = 0; start < faces.length; start += wish.batch * PIXELS) {
      const end = Math.min(start + wish.batch * PIXELS, faces.length);
      out.set(await read(faces.subarray(start, end)), (start / PIXELS) * CLASSES);
    }
    fs.writeFileSync(wish.out, out);
    answer({ faces: faces.length / PIXELS });
  }
}

main().catch((error) => { console.error(error); process.exit(1); });
