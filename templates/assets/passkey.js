/*
 * passkey.js: asks the browser for a passkey (W3C Web Authentication, navigator.credentials) and fills the form with what it gives.
 * Without it the page says what works instead. The words come from the page; nothing is stored.
 */
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const named = (form) => form.dataset.credentials.split(" ").filter(Boolean).map((id) => ({ type: "public-key", id: bytes(id) }));
const TIMEOUT = 5 * 60 * 1000;

function askToCreate(form) {
    return navigator.credentials.create({ publicKey: {
        challenge: bytes(form.dataset.challenge),
        rp: { id: form.dataset.rp, name: form.dataset.rpName },
        user: { id: bytes(form.dataset.user), name: form.dataset.userName, displayName: form.dataset.userName },
        pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
        excludeCredentials: named(form),
        authenticatorSelection: { residentKey: "discouraged", userVerification: "preferred" },
        attestation: "none",
        timeout: TIMEOUT,
    } });
}

function askToSign(form) {
    return navigator.credentials.get({ publicKey: {
        challenge: bytes(form.dataset.challenge),
        rpId: form.dataset.rp,
        allowCredentials: named(form),
        userVerification: "preferred",
        timeout: TIMEOUT,
    } });
}

async function ask(form) {
    const credential = await (form.dataset.passkey === "create" ? askToCreate(form) : askToSign(form));
    const { response } = credential;

    form.elements.client_data.value = text(response.clientDataJSON);
    if (form.dataset.passkey === "create") {
        form.elements.attestation.value = text(response.attestationObject);
        return;
    }
    form.elements.namedItem("id").value = text(credential.rawId);
    form.elements.auth_data.value = text(response.authenticatorData);
    form.elements.signature.value = text(response.signature);
}

function serve(form) {
    const button = form.querySelector("button");
    const failed = form.querySelector("[role=alert]");

    form.querySelector(".passkey-none").hidden = true;
    form.querySelectorAll(".passkey-some").forEach((part) => { part.hidden = false; });
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        failed.hidden = true;
        button.setAttribute("aria-disabled", "true");
        try {
            await ask(form);
            form.submit();
        } catch {
            failed.hidden = false;       // given up, no authenticator, or one that has no passkey of this account
            button.removeAttribute("aria-disabled");
        }
    });
}

if (window.PublicKeyCredential && navigator.credentials) {
    document.querySelectorAll("form[data-passkey]").forEach(serve);
}
