// One video on its way to the store: part by part, with progress, resumed after a broken
// connection, cancelled on wish. The ticket in `data` comes from a use case that knows who
// is signed in; without one the person is only asked which file.
const TRIES = 8;
const PAUSE = 500;
const LONGEST_PAUSE = 15000;

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const parts = find(parentElement);
  const state = (parentElement.cityverseUpload ??= { file: null, running: null, ended: null });
  parts.label.textContent = data.words.choose;
  parts.cancel.textContent = data.words.cancel;
  parts.input.accept = "video/mp4,video/webm";
  parts.input.onchange = () => {
    state.file = parts.input.files[0] ?? null;
    state.ended = null;
    if (!state.file) return;
    if (state.file.size > data.most || state.file.size === 0) {
      say(parts, data.words.too_large);
      return;
    }
    say(parts, data.words.preparing);
    setTriggerValue("chosen", { size: state.file.size });
  };
  parts.cancel.onclick = () => state.running?.cancel();
  const begins = data.ticket && state.file && state.running?.ticket !== data.ticket;
  if (begins && state.ended !== data.ticket) {
    state.running = new Upload(data.ticket, state.file, parts, data.words);
    state.running.run().then((id) => {
      state.ended = data.ticket;
      state.running = null;
      if (id) setTriggerValue("finished", id);
    });
  }
}

function find(root) {
  return {
    label: root.querySelector("label span"),
    input: root.querySelector("input"),
    bar: root.querySelector("progress"),
    cancel: root.querySelector("button"),
    status: root.querySelector("[role=status]"),
  };
}

function say(parts, text) {
  parts.status.textContent = text;
}

class Refused extends Error {}
class Cancelled extends Error {}

// An answer below 500 stays the same however often one asks, but for two.
function failure(status) {
  const passing = status >= 500 || status === 408 || status === 409;
  return new (passing ? Error : Refused)(String(status));
}

class Upload {
  constructor(ticket, file, parts, words) {
    Object.assign(this, { ticket, file, parts, words, request: null, cancelled: false });
    this.address = `/upload/${ticket}`;
  }

  async run() {
    this.parts.bar.hidden = this.parts.cancel.hidden = false;
    this.parts.input.disabled = true;
    try {
      await this.send();
      say(this.parts, this.words.checking);
      const made = await this.again(() => this.ask("POST"));
      say(this.parts, this.words.done);
      return made.id;
    } catch (error) {
      say(this.parts, this.explain(error));
      return null;
    } finally {
      this.parts.bar.hidden = this.parts.cancel.hidden = true;
      this.parts.input.disabled = false;
      this.parts.input.value = "";
    }
  }

  async send() {
    let at = await this.again(() => this.ask("GET"));
    while (at.offset < at.size) {
      at = await this.again(async () => {
        // After a broken connection only the store knows how far it got.
        const now = await this.ask("GET");
        if (now.offset < now.size) await this.put(now);
        return this.ask("GET");
      });
    }
  }

  // Tries again, later each time, unless the answer is final.
  async again(attempt) {
    for (let failures = 0; ; failures += 1) {
      if (this.cancelled) throw new Cancelled();
      try {
        return await attempt();
      } catch (error) {
        if (error instanceof Refused || this.cancelled || failures >= TRIES) throw error;
        say(this.parts, this.words.resuming);
        const pause = Math.min(LONGEST_PAUSE, PAUSE * 2 ** failures);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  async ask(method) {
    const answer = await fetch(this.address, { method, cache: "no-store" });
    const said = method === "DELETE" ? {} : await answer.json();
    if (answer.ok) return said;
    throw failure(answer.status);
  }

  put(at) {
    const end = Math.min(at.offset + at.part, at.size);
    return new Promise((resolve, reject) => {
      const request = (this.request = new XMLHttpRequest());
      request.open("PUT", at.put);
      request.setRequestHeader("Content-Range", `bytes ${at.offset}-${end - 1}/${at.size}`);
      request.upload.onprogress = (event) => this.show(at.offset + event.loaded, at.size);
      request.onload = () => (request.status < 300 ? resolve() : reject(failure(request.status)));
      request.onerror = request.onabort = () => reject(new Error("connection"));
      request.send(this.file.slice(at.offset, end));
    });
  }

  show(sent, size) {
    const share = Math.min(100, Math.floor((100 * sent) / size));
    this.parts.bar.value = share;
    say(this.parts, this.words.sending.replace("%", `${share} %`));
  }

  cancel() {
    this.cancelled = true;
    this.request?.abort();
    this.ask("DELETE").catch(() => {});
  }

  explain(error) {
    if (this.cancelled || error instanceof Cancelled) return this.words.cancelled;
    return error instanceof Refused ? this.words.refused : this.words.failed;
  }
}
