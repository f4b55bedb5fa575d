/* Passkeys: the form asks the server what to ask the browser, and sends what the browser answered. Without this script,
   or where a browser knows no passkeys, the forms stay hidden: there is always another way in. */
(function () {
  "use strict";
  if (!window.PublicKeyCredential || !navigator.credentials) { return; }

  function bytes(text) {
    var plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, function (letter) { return letter.charCodeAt(0); });
  }

  function text(buffer) {
    var plain = "";
    new Uint8Array(buffer).forEach(function (one) { plain += String.fromCharCode(one); });
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function read(options) {
    options.challenge = bytes(options.challenge);
    if (options.user) { options.user.id = bytes(options.user.id); }
    (options.excludeCredentials || []).concat(options.allowCredentials || []).forEach(function (one) { one.id = bytes(one.id); });
    return options;
  }

  function written(credential) {
    var response = { clientDataJSON: text(credential.response.clientDataJSON) };
    ["attestationObject", "authenticatorData", "signature", "userHandle"].forEach(function (name) {
      if (credential.response[name]) { response[name] = text(credential.response[name]); }
    });
    return JSON.stringify({
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response: response, clientExtensionResults: {}
    });
  }

  async function ask(form) {
    var token = form.elements.csrf_token.value;
    var answer = await fetch(form.dataset.passkey, { method: "POST", headers: { "X-CSRFToken": token } });
    if (answer.redirected) { window.location.assign(answer.url); return null; }
    if (!answer.ok) { throw new Error(String(answer.status)); }
    var options = { publicKey: read(await answer.json()) };
    return "make" in form.dataset ? navigator.credentials.create(options) : navigator.credentials.get(options);
  }

  document.querySelectorAll("form[data-passkey]").forEach(function (form) {
    form.hidden = false;
    form.querySelector("button").addEventListener("click", function () {
      var failed = form.querySelector("[data-failed]");
      failed.hidden = true;
      ask(form).then(function (credential) {
        if (!credential) { return; }
        form.elements.credential.value = written(credential);
        form.submit();
      }).catch(function () { failed.hidden = false; });
    });
  });
})();
