"use strict";

// Entries of a list in the browser; as many as the server puts on a fresh page.
const MOST = 100;
const lists = ["alerts", "recipes", "dead"].map((name) => document.getElementById(name));
const link = document.getElementById("link");
const announce = document.getElementById("announce");

function say(state, text) {
  link.dataset.state = state;
  link.textContent = text;
}

// The HTML was rendered and escaped by the server.
function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  localTimes(template.content);
  return template.content;
}

function localTimes(root) {
  for (const time of root.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.textContent = at.toLocaleTimeString();
      time.title = at.toLocaleString();
    }
  }
}

const query = document.getElementById("q");
const severity = document.getElementById("severity");

// Entries that do not match stay where they are and are hidden, so that the next search finds them.
function matches(entry) {
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = entry.textContent.toLowerCase();
  const wanted = !entry.dataset.severity || !severity.value || entry.dataset.severity === severity.value;
  return wanted && words.every((word) => text.includes(word));
}

function filter(entries) {
  for (const entry of entries) entry.hidden = !matches(entry);
}

function filterAll() {
  for (const list of lists) filter(list.children);
}

query.addEventListener("input", filterAll);
severity.addEventListener("change", filterAll);
query.form.addEventListener("submit", (event) => {
  event.preventDefault();
  filterAll();
});
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    query.focus();
  } else if (event.key === "Escape" && event.target === query) {
    query.value = "";
    filterAll();
  }
});

function replace(list, html) {
  const entries = parse(html);
  filter(entries.children);
  list.replaceChildren(...entries.children);
}

function prepend(list, html) {
  const entries = [...parse(html).children].filter((entry) => !document.getElementById(entry.id));
  for (const entry of entries) entry.classList.add("fresh");
  filter(entries);
  // Someone who has scrolled down keeps the place.
  const height = list.scrollHeight;
  list.prepend(...entries);
  while (list.childElementCount > MOST) list.lastElementChild.remove();
  if (list.scrollTop > 0) list.scrollTop += list.scrollHeight - height;
  return entries.length;
}

function numbers(stats) {
  for (const element of document.querySelectorAll("[data-stat]")) {
    element.textContent = stats[element.dataset.stat];
  }
  stats.histogram.forEach((bar, index) => {
    const rect = document.querySelector(`[data-bar="${index}"]`);
    rect.setAttribute("y", 120 - bar.height);
    rect.setAttribute("height", bar.height);
    rect.querySelector("title").textContent = `${bar.label}: ${bar.count}`;
    document.querySelector(`[data-count="${index}"]`).textContent = bar.count;
  });
}

function tables(from) {
  for (const name of ["sites", "sources", "groups"]) {
    const body = document.getElementById(name);
    // What is read or selected stays, unless it changed.
    if (body.dataset.html === from[name]) continue;
    body.dataset.html = from[name];
    body.innerHTML = from[name];
    localTimes(body);
  }
}

const events = new EventSource("/events");
events.addEventListener("open", () => say("live", "live"));
events.addEventListener("error", () => say("lost", "connection lost, trying again"));
events.addEventListener("snapshot", (event) => {
  const page = JSON.parse(event.data);
  for (const list of lists) replace(list, page[list.id]);
  tables(page);
  numbers(page.stats);
});
events.addEventListener("update", (event) => {
  const news = JSON.parse(event.data);
  const [alerts] = lists.map((list) => prepend(list, news[list.id]));
  tables(news);
  numbers(news.stats);
  if (alerts > 0) announce.textContent = alerts === 1 ? "1 new alert" : `${alerts} new alerts`;
});

localTimes(document);
document.getElementById("zone").textContent = " on the server and local here";
