// The list of items: one element for all of them, each a real button.
// Everything shown is set as text, so nothing an item says can become markup.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const list = parentElement.querySelector("ul");
  list.setAttribute("aria-label", data.label);
  list.replaceChildren(...data.items.map((item) => row(item, data, setTriggerValue)));
  list.onkeydown = moveByArrows;
}

function row(item, words, setTriggerValue) {
  const button = document.createElement("button");
  button.type = "button";
  const kind = item.key.split(":")[0];
  button.dataset.kind = kind;
  button.dataset.key = item.key;
  const head = element("span", "head");
  head.append(element("span", "kind", words.kinds[kind]));
  if (item.demo) head.append(element("span", "demo", words.demo));
  head.append(element("span", "when", item.when));
  button.append(head, element("span", "title", item.title), element("span", "meta", item.meta));
  if (item.excerpt) button.append(element("span", "excerpt", item.excerpt));
  if (item.images) button.append(pictures(item.images));
  if (item.attached) button.append(element("span", "meta", item.attached));
  if (item.place) button.append(element("span", "place", item.place));
  button.onclick = () => setTriggerValue("opened", item.key);
  const entry = document.createElement("li");
  entry.append(button);
  return entry;
}

function pictures(addresses) {
  const row = element("span", "pictures");
  for (const address of addresses) {
    const picture = document.createElement("img");
    picture.src = address;
    picture.alt = "";
    picture.loading = "lazy";
    row.append(picture);
  }
  return row;
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function moveByArrows(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const root = event.currentTarget.getRootNode();
  const next = buttons[buttons.indexOf(root.activeElement) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
