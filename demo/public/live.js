// Draws the pool's status page, asked for every second, into the elements marked data-live.
"use strict";

(function () {
  const statusUrl = document.body.dataset.status;
  const ownPid = Number(document.body.dataset.pid);
  const history = [];

  function places(name) {
    return document.querySelectorAll(`[data-live="${name}"]`);
  }

  function show(name, text) {
    places(name).forEach((place) => { place.textContent = text; });
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    made.className = className;
    made.textContent = text;
    return made;
  }

  function since(seconds) {
    const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
    const [name, size] = units.find(([, size]) => seconds >= size) || units[3];
    const count = Math.floor(seconds / size);
    return `${count} ${name}${count === 1 ? "" : "s"}`;
  }

  function duration(microseconds) {
    return microseconds < 1e6 ? `${(microseconds / 1000).toFixed(1)} ms`
      : `${(microseconds / 1e6).toFixed(1)} s`;
  }

  // The worker that answers the status request is at work with just that.
  function isBusy(worker) {
    return worker.state !== "Idle" && !isStatusRequest(worker);
  }

  function isStatusRequest(worker) {
    return worker.state === "Running" && worker["request uri"].startsWith(statusUrl.split("?")[0]);
  }

  function classOf(worker) {
    return [isBusy(worker) ? "busy" : "idle", worker.pid === ownPid ? "own" : ""].join(" ").trim();
  }

  function drawSquares(workers) {
    const busy = workers.filter(isBusy).length;
    places("squares").forEach((place) => {
      place.setAttribute("aria-label", `${busy} of ${workers.length} workers at work`);
      place.replaceChildren(...workers.map((worker) => {
        const square = element("span", classOf(worker), "");
        square.title = `worker ${worker.pid}: ${worker.state}`;
        return square;
      }));
    });
  }

  function drawTable(workers) {
    const rows = workers.map((worker) => {
      const row = element("tr", classOf(worker), "");
      const memory = worker["last request memory"];
      const cells = [
        worker.pid,
        isStatusRequest(worker) ? "Answers this table" : worker.state,
        worker.requests,
        duration(worker["request duration"]),
        `${worker["request method"]} ${worker["request uri"]}`,
        memory > 0 ? `${(memory / 1048576).toFixed(1)} MiB` : "–",
      ];
      row.append(...cells.map((text) => element("td", "", String(text))));
      return row;
    });
    places("table").forEach((place) => place.replaceChildren(...rows));
  }

  function drawSpark(busy, total) {
    history.push(total > 0 ? busy / total : 0);
    if (history.length > 60) {
      history.shift();
    }
    const step = 120 / 59;
    const points = history.map((share, index) => {
      const x = 120 - (history.length - 1 - index) * step;
      return `${x.toFixed(1)},${(29 - share * 27).toFixed(1)}`;
    });
    const start = (120 - (history.length - 1) * step).toFixed(1);
    places("spark").forEach((place) => {
      place.setAttribute("d", `M${start},30 L${points.join(" L")} L120,30 Z`);
    });
  }

  function draw(status) {
    for (const name of ["total processes", "active processes", "max active processes",
      "accepted conn", "listen queue", "max children reached"]) {
      show(name, String(status[name]));
    }
    show("start since", since(status["start since"]));
    const workers = status.processes || [];
    const own = workers.find((worker) => worker.pid === ownPid);
    show("own-requests", own ? String(own.requests) : "it has gone by now");
    drawSquares(workers);
    drawTable(workers);
    drawSpark(workers.filter(isBusy).length, workers.length);
  }

  async function poll() {
    try {
      const answer = await fetch(statusUrl, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (answer.ok) {
        draw(await answer.json());
      }
    } catch (problem) {
      show("listen queue", "no answer");
    }
    setTimeout(poll, places("table").length > 0 ? 300 : 1000);
  }

  function describeBurst(result) {
    const good = result.took.filter((seconds) => seconds !== null);
    if (good.length === 0) {
      return "No request was answered.";
    }
    const slowest = Math.max(...good).toFixed(2);
    const lost = result.took.length - good.length;
    return `${good.length} requests of ${result.seconds} s answered; the last after ${slowest} s`
      + (lost > 0 ? `; ${lost} lost.` : ".");
  }

  function watchBurst(form) {
    const button = form.querySelector("button");
    const output = form.querySelector("[data-burst-result]");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      output.textContent = "On their way…";
      try {
        const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
        output.textContent = answer.ok ? describeBurst(await answer.json())
          : "The form was too old; please load the page again.";
      } catch (problem) {
        output.textContent = "No answer.";
      }
      button.disabled = false;
    });
  }

  document.querySelectorAll("form[data-burst]").forEach(watchBurst);
  if (document.querySelector("[data-live]")) {
    poll();
  }
})();
