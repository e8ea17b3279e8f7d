#include "grin/report/page.h"

#include "grin/base/hash.h"
#include "grin/report/assets.h"

namespace grin {

// The policy forbids every request; only this page's own script runs,
// told by a nonce that depends on all of its content.
std::string RenderPage(const std::string& title, const Markup& links, const Markup& content) {
  const std::string nonce = Fingerprint(content.str()) + Fingerprint(kAssetReportJs);
  const Markup head =
      Tag("meta", {{"charset", "utf-8"}}) +
      Tag("meta",
          {{"http-equiv", "Content-Security-Policy"},
           {"content", "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-" + nonce +
                           "'; img-src data:; base-uri 'none'; form-action 'none'"}}) +
      Tag("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}}) +
      Tag("meta", {{"name", "color-scheme"}, {"content", "light dark"}}) +
      TextTag("title", {}, title) +
      // An icon of its own, or browsers would ask for one.
      Tag("link", {{"rel", "icon"}, {"href", "data:,"}}) +
      Tag("style", {}, Trusted(std::string(kAssetReportCss)));
  const Markup bar =
      Tag("header", {{"class", "bar"}},
          Tag("p", {{"class", "brand"}}, Text("GRIN ") + TextTag("span", {}, "report")) +
              (links.empty() ? Markup()
                             : Tag("nav", {{"aria-label", "Sections"}}, Tag("ul", {}, links))) +
              TextTag("button", {{"type", "button"}, {"id", "theme"}}, "Theme"));
  const Markup body =
      TextTag("a", {{"class", "skip"}, {"href", "#content"}}, "Skip to the content") + bar +
      Tag("main", {{"id", "content"}, {"tabindex", "-1"}}, content) +
      Tag("script", {{"nonce", nonce}}, Trusted(std::string(kAssetReportJs)));
  return "<!DOCTYPE html>\n" +
         Tag("html", {{"lang", "en"}}, Tag("head", {}, head) + Tag("body", {}, body)).str() + "\n";
}

}  // namespace grin
