// Passkeys: asks the server what to sign, the browser to sign it, and the server what it thinks of it.
const place = document.getElementById("passkey");
const told = document.getElementById("passkey-told");

async function ask(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail);
  return said;
}

async function use() {
  told.textContent = "";
  try {
    const registers = place.dataset.act === "register";
    const path = { register: "/passkey", "sign-in": "/sign-in/passkey", confirm: "/confirm/passkey" }[place.dataset.act];
    const options = await ask(`${path}/options`);
    const credential = registers
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
    const then = await ask(path, credential.toJSON());
    const waiting = document.getElementById("go-on");
    if (waiting) waiting.submit();
    else location.assign(place.dataset.then || then.then);
  } catch (wrong) {
    told.textContent = wrong.name === "Error" ? wrong.message : place.dataset.failed;
  }
}

if (window.PublicKeyCredential && PublicKeyCredential.parseCreationOptionsFromJSON) {
  place.hidden = false;
  place.querySelector("button").addEventListener("click", use);
}
