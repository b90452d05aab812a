/*
 * beffroi.js: comforts on top of pages that work without it. Shows or hides a typed password; copies a text; fills a
 * text with the content of a file, as it is or, when it is no text, in base64.
 * The words come from the page (data-…), nothing is sent or stored.
 */
"use strict";

function addReveal(input) {
    const button = document.createElement("button");

    button.type = "button";
    button.className = "button quiet";
    const show = (visible) => {
        input.type = visible ? "text" : "password";
        button.textContent = visible ? input.dataset.hide : input.dataset.show;
        button.setAttribute("aria-pressed", String(visible));
    };
    button.setAttribute("aria-controls", input.id);
    button.addEventListener("click", () => show(input.type === "password"));
    input.form.addEventListener("submit", () => show(false));
    const box = document.createElement("div");
    box.className = "with-button";
    input.replaceWith(box);
    box.append(input, button);
    show(false);
}

function addCopy(source) {
    const button = document.createElement("button");
    const said = document.createElement("span");

    button.type = "button";
    button.className = "button quiet no-print";
    button.textContent = source.dataset.copy;
    said.setAttribute("role", "status");
    button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(source.textContent.trim());
        said.textContent = source.dataset.copied;
    });
    source.after(" ", button, " ", said);
}

function addFile(area) {
    const box = document.createElement("div");
    const label = document.createElement("label");
    const input = document.createElement("input");

    input.type = "file";
    input.id = `${area.id}-file`;
    label.htmlFor = input.id;
    label.textContent = area.dataset.file;
    input.addEventListener("change", async () => {
        const bytes = new Uint8Array(await input.files[0].arrayBuffer());
        const text = String.fromCharCode(...bytes.subarray(0, 16384));
        area.value = text.includes("-----BEGIN") ? text : btoa(text);
    });
    box.className = "with-file";
    box.append(label, input);
    area.after(box);
}

document.querySelectorAll("textarea[data-file]").forEach(addFile);
document.querySelectorAll("input[data-show]").forEach(addReveal);
if (navigator.clipboard) {
    document.querySelectorAll("[data-copy]").forEach(addCopy);
}
document.querySelectorAll("[data-print]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
});
document.querySelectorAll("form[data-auto]").forEach((form) => form.submit());
