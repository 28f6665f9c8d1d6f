// Makes the page live: looks at the server every few seconds, draws figures over time, filters long tables, and asks before
// it sends what could do harm. The page does all else without this script.
"use strict";
(() => {
  const WINDOW = 300_000; // how much the figures show, in milliseconds
  const SVG = "http://www.w3.org/2000/svg";
  const root = document.documentElement;
  root.classList.add("js");
  const words = document.getElementById("live")?.dataset ?? {};
  const number = new Intl.NumberFormat(root.lang, { maximumFractionDigits: 1 });
  const fill = (text, ...values) => values.reduce((text, value) => text.replace("{}", () => value), text ?? "");
  const make = (name, props = {}, ...children) => {
    const element = Object.assign(document.createElement(name), props);
    element.append(...children);
    return element;
  };

  // What survives a change of the page in this tab: figures, what is folded, filters.
  const STORE = "jk:" + location.pathname;
  let kept = {};
  try { kept = JSON.parse(sessionStorage.getItem(STORE)) ?? {}; } catch { /* then without */ }
  kept.series ??= {}; kept.open ??= {}; kept.filter ??= {};
  const keep = () => { try { sessionStorage.setItem(STORE, JSON.stringify(kept)); } catch { /* full or forbidden */ } };
  addEventListener("pagehide", keep);

  // ---- Parts that are folded ----
  for (const part of document.querySelectorAll("details[data-key]")) {
    const key = part.dataset.key;
    if (key in kept.open) part.open = kept.open[key];
    part.addEventListener("toggle", () => { kept.open[key] = part.open; });
  }

  // ---- Figures ----
  const duration = (micros) => {
    if (micros < 1e3) return Math.round(micros) + " µs";
    if (micros < 1e6) return number.format(micros < 1e4 ? micros / 1e3 : Math.round(micros / 1e3)) + " ms";
    return number.format(micros / 1e6) + " s";
  };
  const BOUNDS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1e3, 2.5e3, 5e3, 1e4, 3e4, 6e4].map((ms) => ms * 1e3);
  const units = {
    rate: (value) => number.format(value) + "/s", errors: number.format, busy: number.format, time: duration,
  };
  const buckets = (text) => (text ? text.split(" ").map(Number) : []);
  const sum = (list) => list.reduce((total, value) => total + value, 0);

  // A sample: [time, requests, errors, in work, microseconds, buckets].
  const sample = (owner, now) => {
    const key = owner.dataset.live;
    const series = (kept.series[key] ??= []);
    const last = series.at(-1);
    const next = [now, ...owner.dataset.n.split(" ").map(Number), owner.dataset.b];
    // Counters that went back have been reset, so the past means nothing.
    if (last && (next[1] < last[1] || next[2] < last[2] || next[4] < last[4] || now - last[0] > WINDOW)) series.length = 0;
    series.push(next);
    while (series.length > 2 && series[1][0] < now - WINDOW) series.shift();
    return series;
  };
  const responses = (from, to) => sum(buckets(to[5])) - sum(buckets(from[5]));

  // Values between neighbours: [time, value]; a time without responses is null.
  const points = (series, kind) => {
    if (kind === "busy") return series.map((at) => [at[0], at[3]]);
    return series.slice(1).map((to, place) => {
      const from = series[place];
      if (kind === "rate") return [to[0], ((to[1] - from[1]) * 1000) / Math.max(to[0] - from[0], 1)];
      if (kind === "errors") return [to[0], to[2] - from[2]];
      const count = responses(from, to);
      return [to[0], count > 0 ? (to[4] - from[4]) / count : null];
    });
  };

  // The sample that is the given time back, or the oldest.
  const back = (series, time) => series.findLast((at) => at[0] <= series.at(-1)[0] - time) ?? series[0];

  const latest = (series, kind) => {
    const to = series.at(-1);
    if (series.length < 2) return "";
    if (kind === "rate") {
      const from = back(series, 10_000);
      return units.rate(((to[1] - from[1]) * 1000) / Math.max(to[0] - from[0], 1));
    }
    if (kind === "errors") return fill(words.recent, number.format(to[2] - series[0][2]));
    const from = back(series, 60_000);
    const count = responses(from, to);
    if (count <= 0) return "–";
    const before = buckets(from[5]);
    const grown = buckets(to[5]).map((value, place) => value - (before[place] ?? 0));
    let seen = 0;
    const place = grown.findIndex((value) => (seen += value) >= count * 0.95);
    const most = place < BOUNDS.length ? "≤ " + duration(BOUNDS[place]) : "> " + duration(BOUNDS.at(-1));
    return [duration((to[4] - from[4]) / count), "p95 " + most];
  };

  const shape = (parent, name, attributes) => {
    const element = parent.appendChild(document.createElementNS(SVG, name));
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };

  const draw = (box, series, now) => {
    const kind = box.dataset.chart, wide = 300, high = 40;
    if (!box.chart) {
      const svg = shape(box, "svg", { viewBox: `0 0 ${wide} ${high}`, preserveAspectRatio: "none", role: "img" });
      shape(svg, "path", { class: "base", d: `M0 ${high - 0.5}H${wide}` });
      box.chart = {
        svg, area: shape(svg, "path", { class: "area" }), line: shape(svg, "path", { class: "line" }),
        caption: box.closest(".tile") ? box.appendChild(make("div", { className: "caption" })) : null,
      };
    }
    const all = points(series, kind).filter(([at]) => at >= now - WINDOW);
    const values = all.map(([, value]) => value).filter((value) => value !== null);
    const top = Math.max(...values, 0);
    const scale = top > 0 ? (high - 4) / top : 0;
    // From the first sample on, so that a page just opened has figures too.
    const span = Math.min(Math.max(now - series[0][0], 30_000), WINDOW);
    const x = (at) => Math.max(wide * (1 - (now - at) / span), 0).toFixed(1);
    const y = (value) => (high - 1 - value * scale).toFixed(1);
    let line = "", area = "", pen = false, first = null, last = null;
    for (const [at, value] of all) {
      if (value === null) { pen = false; continue; }
      if (kind === "errors") { if (value > 0) line += `M${x(at)} ${high}V${y(value)}`; continue; }
      line += `${pen ? "L" : "M"}${x(at)} ${y(value)}${pen ? "" : "h.1"}`;
      pen = true; first ??= at; last = at;
    }
    if ((kind === "rate" || kind === "busy") && first !== null) area = `${line}L${x(last)} ${high}L${x(first)} ${high}Z`;
    box.chart.line.setAttribute("d", line);
    box.chart.area.setAttribute("d", area);
    const current = values.length ? units[kind](values.at(-1)) : "–";
    box.chart.svg.setAttribute("aria-label", fill(words.chart, box.dataset.label, current, units[kind](top)));
    box.title = box.chart.svg.getAttribute("aria-label");
    if (box.chart.caption) {
      const seconds = Math.round(span / 1000), past = `−${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      box.chart.caption.replaceChildren(make("span", { textContent: past }),
        make("span", { textContent: fill(words.peak, units[kind](top)) }));
    }
  };

  const owners = [...document.querySelectorAll("[data-n]")].map((element) => ({
    element,
    figures: [...element.querySelectorAll("[data-chart], [data-now]")].filter((one) => one.closest("[data-n]") === element),
  }));
  const figures = () => {
    const now = Date.now();
    for (const { element, figures } of owners) {
      const series = sample(element, now);
      for (const figure of figures) {
        if (figure.dataset.chart) { draw(figure, series, now); continue; }
        const kind = figure.dataset.now, [text, more] = [latest(series, kind)].flat();
        if (figure.dataset.told !== text + more) {
          figure.dataset.told = text + more;
          figure.replaceChildren(text, ...(more ? [" ", make("small", { textContent: more })] : []));
        }
        if (kind === "errors") figure.classList.toggle("some", series.at(-1)[2] > series[0][2]);
      }
    }
    for (const key of Object.keys(kept.series)) {
      if (kept.series[key].at(-1)[0] < now - WINDOW) delete kept.series[key];
    }
  };

  // ---- Filters of long tables ----
  const filters = [];
  for (const table of document.querySelectorAll("table[data-filter]")) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 10) continue;
    const key = table.getAttribute("aria-label");
    const [text, bad] = kept.filter[key] ?? ["", false];
    const find = make("input", { type: "search", value: text });
    const only = make("input", { type: "checkbox", checked: bad });
    const count = make("output");
    const apply = () => {
      const wanted = find.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        const fits = row.textContent.toLowerCase().includes(wanted) && !(only.checked && row.dataset.health === "good");
        row.hidden = !fits;
        shown += fits;
      }
      const told = fill(words.count, shown, rows.length);
      if (count.textContent !== told) count.textContent = told;
      kept.filter[key] = [find.value, only.checked];
    };
    find.addEventListener("input", apply);
    only.addEventListener("input", apply);
    table.before(make("div", { className: "filter" },
      make("label", {}, words.filter + " ", find), make("label", {}, only, " " + words.problems), count));
    filters.push(apply);
    apply();
  }

  // ---- Asking before what could do harm ----
  const ask = (text) => new Promise((answer) => {
    const no = make("button", { value: "no", textContent: words.no ?? "No" });
    const yes = make("button", { value: "yes", className: "primary", textContent: words.yes ?? "Yes" });
    const dialog = make("dialog", {},
      make("form", { method: "dialog" }, make("p", { textContent: text }), make("div", { className: "actions" }, yes, no)));
    dialog.addEventListener("close", () => { dialog.remove(); answer(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  });
  let agreed = null;
  document.addEventListener("submit", async (event) => {
    const { target: form, submitter } = event;
    const what = submitter?.dataset.ask;
    if (form.method === "post" && (!what || agreed === submitter)) {
      kept.scroll = scrollY; // the page that follows is this one again
      agreed = null;
      return;
    }
    if (!what) return;
    event.preventDefault();
    const name = form.closest("[data-live]")?.dataset.live.replace(/^[^:]*:/, "") ?? "";
    if (await ask(fill(words[what], name))) { agreed = submitter; form.requestSubmit(submitter); }
  });
  if (kept.scroll !== undefined) { scrollTo(0, kept.scroll); delete kept.scroll; }

  // ---- Looking at the server ----
  const place = document.getElementById("live");
  if (!place) return;
  const sign = make("span", { className: "sign" });
  sign.setAttribute("aria-hidden", "true");
  const text = make("span");
  const state = make("p", {}, sign, text);
  state.setAttribute("role", "status");
  const button = make("button", { type: "button" });
  place.append(state, button);
  place.hidden = false;
  const every = Number(words.every) * 1000;
  let paused = false, busy = false, timer = 0, since = null, changed = false;

  const tell = () => {
    const [name, told] = changed ? ["changed", words.changed] : since ? ["lost", fill(words.lost, since)]
      : paused ? ["paused", words.off] : ["on", words.on];
    place.className = "live " + name;
    root.classList.toggle("stale", name === "lost");
    sign.textContent = { on: "●", paused: "❚❚", lost: "✕", changed: "▲" }[name];
    if (text.textContent !== told) text.textContent = told;
    const word = changed ? words.reload : paused ? words.resume : words.pause;
    if (button.textContent !== word) button.textContent = word;
  };

  // Takes over what has changed; false when there are other workers than before.
  const take = (fresh) => {
    const parts = new Map([...fresh.querySelectorAll("[data-live]")].map((one) => [one.dataset.live, one]));
    const mine = [...document.querySelectorAll("[data-live]")];
    if (mine.length !== parts.size || !mine.every((one) => parts.has(one.dataset.live))) return false;
    for (const old of mine) {
      const part = parts.get(old.dataset.live);
      for (const { name, value } of part.attributes) {
        if (name.startsWith("data-") && old.getAttribute(name) !== value) old.setAttribute(name, value);
      }
      const pairs = part.dataset.whole === undefined
        ? [...part.querySelectorAll("[data-p]")].map((one) => [
          [...old.querySelectorAll("[data-p]")].find((mine) =>
            mine.dataset.p === one.dataset.p && mine.closest("[data-live]") === old), one])
        : [[old, part]];
      for (const [to, from] of pairs) if (to && to.innerHTML !== from.innerHTML) to.innerHTML = from.innerHTML;
    }
    return true;
  };

  const look = async () => {
    clearTimeout(timer);
    if (busy || paused || changed || document.hidden) return;
    busy = true;
    try {
      const url = new URL(location.href);
      url.searchParams.set("res", "live");
      url.hash = "";
      const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(Math.max(every, 10_000)) });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (fresh.body.dataset.fragment === undefined) throw new Error("not the status page");
      since = null;
      changed = !take(fresh);
      for (const token of document.querySelectorAll("input[name=token]")) token.value = fresh.body.dataset.fragment;
      if (!changed) { figures(); for (const apply of filters) apply(); }
    } catch {
      since ??= new Date().toLocaleTimeString(root.lang);
    }
    busy = false;
    tell();
    timer = setTimeout(look, every);
  };

  button.addEventListener("click", () => {
    if (changed) { location.reload(); return; }
    paused = !paused;
    tell();
    look();
  });
  document.addEventListener("visibilitychange", look);
  figures();
  tell();
  timer = setTimeout(look, 1000);
})();
