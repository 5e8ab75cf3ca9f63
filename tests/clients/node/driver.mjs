// The official Node client, driven from outside: one order per line on standard input, one answer per line out.
//
// Speaks the same language as the Python driver beside it, which says what an order holds. The argument is the folder
// whose node_modules holds the client. The first line out says which client this is.

import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { pathToFileURL } from "node:url";

const package_ = path.join(process.argv[2], "node_modules", "openai");
const { default: OpenAI, toFile } = await import(pathToFileURL(path.join(package_, "index.mjs")).href);
const CLIENT_LIMIT_MS = 40_000;

function say(document) {
  process.stdout.write(JSON.stringify(document) + "\n");
}

async function asked(order) {
  const client = new OpenAI({
    baseURL: order.base_url, apiKey: "unused", maxRetries: 0, timeout: CLIENT_LIMIT_MS,
  });
  const answer = await call(client, order);
  if (!order.fields.stream) return toldAnswer(answer, order);
  const events = [];
  for await (const event of answer) events.push(await toldEvent(events.length, event, order));
  return { events };
}

async function call(client, order) {
  // Extras are further keys of the parameters here; Python has an argument of its own for them.
  const { extra_body: extras = {}, ...typed } = order.fields;
  const fields = { ...typed, ...extras };
  if (order.call === "generate") return client.images.generate(fields);
  if (order.call === "edit") {
    const pictures = [];
    for (const each of order.pictures) pictures.push(await given(each, order.given_as));
    const mask = order.mask ? { mask: await given(order.mask, order.given_as) } : {};
    return client.images.edit({ image: order.in_list ? pictures : pictures[0], ...mask, ...fields });
  }
  if (order.call === "edit_text") {
    return client.images.edit({ image: dataUrl(order.pictures[0]), ...fields });
  }
  const images = order.pictures.map((each) => ({ image_url: dataUrl(each) }));
  const mask = order.mask ? { mask: { image_url: dataUrl(order.mask) } } : {};
  return client.post("/images/edits", { body: { images, ...mask, ...fields } });
}

async function given(file, way) {
  if (way === "open") return fs.createReadStream(file);
  if (way === "file") return new File([fs.readFileSync(file)], path.basename(file));
  if (way === "named_memory") return toFile(fs.readFileSync(file), path.basename(file), { type: mediaType(file) });
  return toFile(fs.readFileSync(file));
}

function mediaType(file) {
  return `image/${path.extname(file).slice(1)}`;
}

function dataUrl(file) {
  return `data:${mediaType(file)};base64,${fs.readFileSync(file).toString("base64")}`;
}

async function toldAnswer(answer, order) {
  const { data, ...document } = answer;
  const images = [];
  for (const image of data ?? []) images.push(await toldImage(images.length, image, order));
  return { images, ...document };
}

async function toldImage(number, image, order) {
  const url = image.url ?? null;
  if (image.b64_json) return { file: kept(number, Buffer.from(image.b64_json, "base64"), order), url };
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(`the image's URL answered ${reply.status}`);
  const data = Buffer.from(await reply.arrayBuffer());
  return { file: kept(number, data, order), url, content_type: reply.headers.get("content-type") };
}

async function toldEvent(number, event, order) {
  const { b64_json: data, ...document } = event;
  return { ...document, ...(await toldImage(number, { b64_json: data, url: event.url }, order)) };
}

function toldError(error) {
  return {
    class: error.constructor.name,
    // The client puts the status before the gateway's sentence; the sentence alone is in the body it keeps.
    message: error.error?.message ?? error.message,
    status: error.status ?? null,
    code: error.code ?? null,
    param: error.param ?? null,
    type: error.type ?? null,
    request_id: error.requestID ?? null,
  };
}

function kept(number, data, order) {
  const file = path.join(order.outputs, `image-${number}`);
  fs.writeFileSync(file, data);
  return file;
}

const { version } = JSON.parse(fs.readFileSync(path.join(package_, "package.json"), "utf8"));
say({ client: "node", version });
for await (const line of readline.createInterface({ input: process.stdin })) {
  try {
    say(await asked(JSON.parse(line)));
  } catch (error) {
    say({ error: toldError(error) });
  }
}
