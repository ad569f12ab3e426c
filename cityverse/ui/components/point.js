// Choosing a point: a plain map of Paris to click on; arrows move the point, + and - zoom.
const BOX = { west: 2.22, south: 48.812, east: 2.47, north: 48.906 };
const WIDE = 0.658; // a degree of longitude beside one of latitude, in Paris

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const svg = parentElement.querySelector("svg");
  svg.setAttribute("aria-label", data.label);
  if (!svg.dataset.drawn) {
    svg.dataset.drawn = "yes";
    const view = { x: BOX.west * WIDE, y: -BOX.north, width: (BOX.east - BOX.west) * WIDE };
    view.height = BOX.north - BOX.south;
    svg.view = view;
    data.layers.forEach(([name, url]) => draw(svg, name, url));
  }
  parentElement.querySelectorAll("button").forEach((button, n) => {
    button.setAttribute("aria-label", data.zoom[n]);
    button.onclick = () => zoom(svg, n ? 1.6 : 1 / 1.6);
  });
  const choose = (x, y) => {
    mark(svg, x, y);
    setTriggerValue("chosen", { lat: -y, lon: x / WIDE });
  };
  svg.onclick = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY);
    const { x, y } = at.matrixTransform(svg.getScreenCTM().inverse());
    choose(x, y);
  };
  svg.onkeydown = (event) => byKey(svg, event, choose);
  show(svg);
  if (data.point) mark(svg, data.point.lon * WIDE, -data.point.lat);
}

function show(svg) {
  const { x, y, width, height } = svg.view;
  svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
  const circle = svg.querySelector("circle");
  if (circle) circle.setAttribute("r", width / 70);
}

function zoom(svg, factor) {
  const view = svg.view;
  const circle = svg.querySelector("circle");
  const x = circle ? Number(circle.getAttribute("cx")) : view.x + view.width / 2;
  const y = circle ? Number(circle.getAttribute("cy")) : view.y + view.height / 2;
  view.width = Math.min(Math.max(view.width * factor, 0.004), (BOX.east - BOX.west) * WIDE);
  view.height = view.width * ((BOX.north - BOX.south) / ((BOX.east - BOX.west) * WIDE));
  view.x = x - view.width / 2;
  view.y = y - view.height / 2;
  show(svg);
}

function mark(svg, x, y) {
  let circle = svg.querySelector("circle");
  if (!circle) circle = svg.appendChild(element("circle"));
  circle.setAttribute("cx", x);
  circle.setAttribute("cy", y);
  show(svg);
}

function byKey(svg, event, choose) {
  if (event.key === "+" || event.key === "-") return zoom(svg, event.key === "+" ? 1 / 1.6 : 1.6);
  const step = svg.view.width / 40;
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[
    event.key
  ] ?? [0, 0];
  const circle = svg.querySelector("circle");
  const { x, y, width, height } = svg.view;
  const [cx, cy] = circle
    ? [Number(circle.getAttribute("cx")), Number(circle.getAttribute("cy"))]
    : [x + width / 2, y + height / 2];
  if (dx || dy) mark(svg, cx + dx * step, cy + dy * step);
  else if (event.key === "Enter") choose(cx, cy);
  else return;
  event.preventDefault();
}

function element(name) {
  return document.createElementNS("http://www.w3.org/2000/svg", name);
}

async function draw(svg, name, url) {
  const group = svg.appendChild(element("g"));
  const answer = await fetch(url);
  if (!answer.ok) return;
  const path = group.appendChild(element("path"));
  path.setAttribute("class", name);
  const features = (await answer.json()).features;
  path.setAttribute("d", features.map((one) => lines(one.geometry)).join(""));
}

function lines(geometry) {
  const { type, coordinates } = geometry;
  if (type === "LineString") return line(coordinates, "");
  if (type === "MultiLineString") return coordinates.map((one) => line(one, "")).join("");
  if (type === "Polygon") return coordinates.map((one) => line(one, "Z")).join("");
  if (type === "MultiPolygon") return coordinates.flat().map((one) => line(one, "Z")).join("");
  return "";
}

function line(points, end) {
  return "M" + points.map(([lon, lat]) => `${(lon * WIDE).toFixed(6)},${-lat}`).join("L") + end;
}
