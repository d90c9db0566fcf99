import { createHash } from "node:crypto";
import { defineConfig, type Plugin } from "vite";
import { viteSingleFile } from "vite-plugin-singlefile";

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** Forbids all but the one script and the one style of the page, by their hashes: no request, no eval, no frame. */
function contentSecurityPolicy(): Plugin {
  return {
    name: "content-security-policy",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const page = bundle["index.html"];
        if (page?.type !== "asset") throw new Error("there is no page");
        const text = String(page.source).replaceAll(" crossorigin", "");
        const scripts = [...text.matchAll(/<script type="module">([^]*?)<\/script>/g)].map((found) => found[1]!);
        const styles = [...text.matchAll(/<style[^>]*>([^]*?)<\/style>/g)].map((found) => found[1]!);
        if (scripts.length !== 1 || styles.length !== 1) throw new Error("the page has not one script and one style");
        const policy = [
          "default-src 'none'",
          `script-src ${hash(scripts[0]!)}`,
          `style-src ${hash(styles[0]!)}`,
          "img-src data:",
          "base-uri 'none'",
          "form-action 'none'",
        ].join("; ");
        const meta = `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
        page.source = text.replace('<meta charset="utf-8">', () => `<meta charset="utf-8">\n${meta}`);
      },
    },
  };
}

export default defineConfig({
  plugins: [viteSingleFile({ removeViteModuleLoader: true }), contentSecurityPolicy()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: ["chrome123", "firefox120", "safari17.5"],
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    modulePreload: false,
    reportCompressedSize: false,
  },
});
