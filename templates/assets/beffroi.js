/*
 * beffroi.js: two comforts on top of pages that work without it. Shows or hides a typed password; copies a text.
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

document.querySelectorAll("input[data-show]").forEach(addReveal);
if (navigator.clipboard) {
    document.querySelectorAll("[data-copy]").forEach(addCopy);
}
document.querySelectorAll("[data-print]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
});
document.querySelectorAll("form[data-auto]").forEach((form) => form.submit());
