import { cut, hueOf, mark } from "./marking.js";

const $ = (id) => document.getElementById(id);
const FORMATS = [["jsonl", "JSON lines"], ["conll", "CoNLL"], ["brat", "brat"], ["pubtator", "PubTator"], ["bioc", "BioC XML"], ["bioc-json", "BioC JSON"], ["html", "HTML"]];
// Written for this page; no real abstracts.
const EXAMPLES = [
  ["A drug and its side effects", "Torsade de pointes after cisapride.\n\nA 62-year-old woman with diabetes mellitus and chronic renal failure took cisapride and erythromycin. She developed syncope, a prolonged QT interval and torsade de pointes. The arrhythmia ended after both drugs were stopped and magnesium sulfate was given."],
  ["An inherited disease", "Germline mutations of BRCA1 and BRCA2 predispose to breast cancer and ovarian cancer. We studied 120 families with hereditary breast and ovarian cancer syndrome. Loss of heterozygosity was found in 34 of 41 breast tumours. Tamoxifen reduced contralateral breast cancer in carriers."],
  ["Poisoning", "Acute liver failure due to acetaminophen was treated with N-acetylcysteine. Two patients had hepatic encephalopathy; one developed acute kidney injury and lactic acidosis."],
];
let models = [];
let limits = {};
let shown = null; // the request whose answer is on the page
const types = new Map();

function headers() {
  const token = $("token").value;
  return { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) };
}

/** Asks the service; what it refuses becomes an Error with its reason. */
async function ask(path, body) {
  let response;
  try {
    response = await fetch(path, body ? { method: "POST", headers: headers(), body: JSON.stringify(body) } : { headers: headers() });
  } catch {
    throw new Error("The service does not answer. Is it still running?");
  }
  if (response.ok) return response;
  let reason = `status ${response.status}`;
  try { reason = (await response.json()).error; } catch { /* no JSON */ }
  if (response.status === 401) { $("access").hidden = false; $("token").focus(); }
  throw new Error(reason);
}

function say(where, text, problem = false) {
  where.textContent = text;
  where.classList.toggle("problem", problem);
}

const able = (method) => models.filter((model) => model.methods.includes(method));

async function start() {
  for (const [name, text] of EXAMPLES) $("example").append(new Option(name, text));
  for (const [format, name] of FORMATS) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.dataset.format = format;
    button.addEventListener("click", () => download(format));
    $("downloads").append(button);
  }
  await loadModels();
}

async function loadModels() {
  try {
    const found = await (await ask("v1/models")).json();
    models = found.models;
    limits = found.limits;
    $("models").textContent = models.map((m) => m.name + (m.types.length ? ` (${m.types.join(", ")})` : "")).join(" · ");
    $("with-relations").hidden = !able("relate").length;
    $("asking").hidden = !able("answer").length;
    $("annotate").hidden = !able("annotate").length;
    if (!able("annotate").length) say($("status"), "No model here finds entities.");
    count();
  } catch (error) {
    $("models").textContent = "";
    say($("status"), error.message, true);
  }
}

function count() {
  const length = Array.from($("text").value).length;
  $("count").textContent = length ? `${length.toLocaleString()} characters` : "";
  const tooLong = limits.text && length > limits.text;
  if (tooLong) say($("status"), `The text is too long: ${limits.text.toLocaleString()} characters at the most.`, true);
  return !tooLong;
}

async function annotate() {
  const text = $("text").value;
  if (!text.trim()) { say($("status"), "Paste a text, or choose an example.", true); $("text").focus(); return; }
  if (!count()) return;
  if (!models.length) { await loadModels(); if (!models.length) return; }
  const request = { texts: [text], ids: ["1"], relations: $("relations").checked && able("relate").length > 0 };
  $("annotate").disabled = true;
  say($("status"), "Reading …");
  try {
    const { documents } = await (await ask("v1/annotate", request)).json();
    shown = request;
    show(documents[0]);
  } catch (error) {
    say($("status"), error.message, true);
  } finally {
    $("annotate").disabled = false;
  }
}

function show(found) {
  const entities = found.entities;
  const names = [...new Set(entities.map((e) => e.type))].sort();
  const hue = hueOf(types);
  mark($("marked"), found.text, entities, hue);
  $("types").replaceChildren(...names.map((type) => {
    const label = document.createElement("label");
    label.className = `hue${hue(type)}`;
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => {
      for (const element of $("marked").querySelectorAll("mark")) {
        if (element.dataset.type === type) {
          element.classList.toggle("off", !box.checked);
          element.tabIndex = box.checked ? 0 : -1;
        }
      }
    });
    label.append(box, `${type} (${entities.filter((e) => e.type === type).length})`);
    return label;
  }));
  rows($("entities"), entities.map((e) => [e.text, e.type, e.score.toFixed(4), `${e.start}–${e.end}`, e.model || ""]), [2, 3]);
  $("list").hidden = !entities.length;
  const relations = found.relations || [];
  rows($("relation-table"), relations.map((r) => [entities[r.first].text, entities[r.second].text, r.label, r.score.toFixed(4)]), [3]);
  $("pairs").hidden = !relations.length;
  $("found").hidden = false;
  const many = (n, one, more) => `${n} ${n === 1 ? one : more}`;
  let said = entities.length ? `Found ${many(entities.length, "entity", "entities")}` : "Found no entity";
  if (shown.relations) said += `, ${many(relations.length, "relation", "relations")}`;
  say($("status"), `${said}.`);
}

function rows(table, values, numbers) {
  table.tBodies[0].replaceChildren(...values.map((cells) => {
    const row = document.createElement("tr");
    cells.forEach((value, i) => {
      const cell = document.createElement("td");
      cell.textContent = value;
      cell.dir = "auto";
      if (numbers.includes(i)) cell.className = "number";
      row.append(cell);
    });
    return row;
  }));
}

async function download(format) {
  try {
    const response = await ask("v1/annotate", { ...shown, format });
    const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") || "");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = name ? name[1] : `entities.${format}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say($("status"), `Saved ${link.download}.`);
  } catch (error) {
    say($("status"), error.message, true);
  }
}

async function answer() {
  const question = $("question").value;
  const text = $("text").value;
  if (!question.trim() || !text.trim()) {
    say($("ask-status"), text.trim() ? "Type a question." : "Paste a text first.", true);
    (text.trim() ? $("question") : $("text")).focus();
    return;
  }
  $("ask").disabled = true;
  say($("ask-status"), "Reading …");
  try {
    const { answers } = await (await ask("v1/answer", { question, contexts: [text], top: 3 })).json();
    const points = Array.from(text);
    $("answers").replaceChildren(...answers.map((found) => {
      const item = document.createElement("li");
      const name = document.createElement("strong");
      name.textContent = found.text;
      item.append(name, ` ${found.score.toFixed(2)}`);
      if (found.start !== undefined && found.start !== null) {
        const context = document.createElement("span");
        context.className = "context";
        const span = document.createElement("span");
        span.className = "answer";
        span.textContent = cut(points, found.start, found.end);
        const from = Math.max(0, found.start - 60), to = Math.min(points.length, found.end + 60);
        context.append((from ? "… " : "") + cut(points, from, found.start), span, cut(points, found.end, to) + (to < points.length ? " …" : ""));
        item.append(context);
      }
      return item;
    }));
    say($("ask-status"), answers.length ? "" : "The text has no answer.");
  } catch (error) {
    say($("ask-status"), error.message, true);
  } finally {
    $("ask").disabled = false;
  }
}

$("form").addEventListener("submit", (event) => { event.preventDefault(); annotate(); });
$("ask-form").addEventListener("submit", (event) => { event.preventDefault(); answer(); });
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); annotate(); }
});
$("text").addEventListener("input", () => { say($("status"), ""); count(); });
$("token").addEventListener("change", loadModels);
$("example").addEventListener("change", () => {
  if ($("example").value) { $("text").value = $("example").value; say($("status"), ""); count(); }
});
start();
