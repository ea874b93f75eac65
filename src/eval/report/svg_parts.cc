#include "eval/report/svg_parts.h"

#include <fmt/format.h>

#include "eval/report/html_page.h"

namespace octavo::eval {

std::string text_at(double x, double y, const char* kind, std::string_view anchor,
                    std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\" text-anchor=\"{}\">{}</text>\n",
                     x, y, kind, anchor, escape(text));
}

std::string line(double x1, double y1, double x2, double y2, const char* kind) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1, y1, x2,
      y2, kind);
}

}  // namespace octavo::eval
