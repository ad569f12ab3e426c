// Brings a ticket to the route that sets the session cookie, or asks it to drop the cookie,
// then loads the next page: a cookie counts from the next connection on. Where there is
// something to read first, a button does that.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const button = parentElement.querySelector("button");
  button.textContent = data.label;
  button.onclick = () => location.replace(data.next);
  button.hidden = !data.label || window.cityverseHandedOver !== data.id;
  if (window.cityverseHandOver === data.id) return;
  window.cityverseHandOver = data.id;
  fetch(data.url, {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", [data.header]: "1" },
    body: JSON.stringify({ ticket: data.ticket }),
  })
    .then((answer) => {
      if (!answer.ok) throw new Error(String(answer.status));
      window.cityverseHandedOver = data.id;
      if (data.label) button.hidden = false;
      else return answer.json().then((said) => location.replace(said.next || data.next));
    })
    .catch(() => setTriggerValue("failed", data.id));
}
