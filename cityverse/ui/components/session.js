// Brings a ticket to the route that sets the session cookie, or asks it to drop the cookie,
// then loads the next page: a cookie counts from the next connection on.
export default function (component) {
  const { data, setTriggerValue } = component;
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
      location.replace(data.next);
    })
    .catch(() => setTriggerValue("failed", data.id));
}
