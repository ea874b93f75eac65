#include "eval/report/html_page.h"

#include <cctype>

#include "eval/report/svg_plot.h"

namespace octavo::eval {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --page: #ffffff; --text: #1b1f24; --muted: #5d6670; --line: #d8dde3;
  --tint: #f4f6f8; --s0: #0b62c4; --s1: #b4470b; --s2: #0f766e; --s3: #8427c9; --s4: #a3154f; --s5: #4d5a12; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --text: #e5e9ee; --muted: #9aa4af;
  --line: #343b44; --tint: #1c2127; --s0: #6cb0ff; --s1: #ff9d5c; --s2: #4fd1c0; --s3: #cf9bff;
  --s4: #ff86b3; --s5: #bccb62; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1rem 4rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
p { max-width: 46rem; margin: .5rem 0; }
.subtitle, figcaption, dt { color: var(--muted); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 0; }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .3rem .75rem; border-bottom: 1px solid var(--line); text-align: left; }
th { color: var(--muted); font-weight: 600; }
.number { text-align: right; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem; }
figure { margin: 0; }
figure + figure { margin-top: 1.5rem; }
figure + .wide { margin-top: 1rem; }
.plots figure { margin: 0; }
figcaption { font-size: .9rem; }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
@media print { body { max-width: none; } }
)";

bool is_number(std::string_view text) {
  const std::size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  return text.size() > at && std::isdigit(static_cast<unsigned char>(text[at])) != 0;
}

std::string element(std::string_view tag, std::string_view text) {
  return "<" + std::string(tag) + ">" + escape(text) + "</" + std::string(tag) + ">\n";
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
          out += "\xEF\xBF\xBD";
        } else {
          out += c;
        }
    }
  }
  return out;
}

HtmlPage::HtmlPage(std::string title, std::string subtitle)
    : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

void HtmlPage::heading(std::string_view text) { body_ += element("h2", text); }
void HtmlPage::paragraph(std::string_view text) { body_ += element("p", text); }

void HtmlPage::facts(const std::vector<std::pair<std::string, std::string>>& rows) {
  body_ += "<dl>\n";
  for (const auto& [name, value] : rows) body_ += element("dt", name) + element("dd", value);
  body_ += "</dl>\n";
}

void HtmlPage::table(const std::vector<std::string>& header,
                     const std::vector<std::vector<std::string>>& rows) {
  const auto cell = [](const char* tag, bool number, const std::string& text) {
    return std::string("<") + tag + (number ? " class=\"number\">" : ">") +
           (text.empty() ? "–" : escape(text)) + "</" + tag + ">";
  };
  body_ += "<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr>";
  for (std::size_t i = 0; i < header.size(); ++i) {
    const bool number = !rows.empty() && i < rows[0].size() && is_number(rows[0][i]);
    body_ += cell("th", number, header[i]);
  }
  body_ += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows) {
    body_ += "<tr>";
    for (const std::string& text : row) body_ += cell("td", is_number(text), text);
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>\n";
}

void HtmlPage::figure(std::string_view svg, std::string_view caption) {
  body_ += "<figure>\n";
  body_ += svg;
  body_ += element("figcaption", caption) + "</figure>\n";
}

std::string HtmlPage::text() const {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
         element("title", title_) + "<style>" + std::string(kStyle) + std::string(plot_style()) +
         "</style>\n</head>\n<body>\n<main>\n" + element("h1", title_) + "<p class=\"subtitle\">" +
         escape(subtitle_) + "</p>\n" + body_ + "</main>\n</body>\n</html>\n";
}

}  // namespace octavo::eval
