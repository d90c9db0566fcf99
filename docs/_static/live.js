// Live pages in frames: each says how high it is, and follows the theme that the reader chose for the site.
const frames = [...document.querySelectorAll("iframe.live-page")];

addEventListener("message", ({ source, data }) => {
  const frame = frames.find((each) => each.contentWindow === source);
  if (frame && data?.fastweights === "height" && data.height > 0) frame.style.height = `${Math.ceil(data.height)}px`;
});

function follow() {
  const { theme } = document.body.dataset;
  for (const frame of frames) {
    const address = frame.getAttribute("src").split("#")[0];
    frame.setAttribute("src", theme === "light" || theme === "dark" ? `${address}#theme=${theme}` : address);
  }
}

if (frames.length) {
  if (document.body.dataset.theme !== "auto") follow();
  new MutationObserver(follow).observe(document.body, { attributeFilter: ["data-theme"] });
}
