// Builds one HTML page that needs nothing else: its own style, light and dark as the reader's
// system is, readable on a phone. Texts are escaped here; only body() takes markup.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace octavo::eval {

/// `text` for HTML and XML, in content and in quoted attributes. Control characters, which XML does
/// not have, become U+FFFD.
std::string escape(std::string_view text);

class HtmlPage {
 public:
  HtmlPage(std::string title, std::string subtitle);

  void heading(std::string_view text);
  void paragraph(std::string_view text);
  /// Names and values.
  void facts(const std::vector<std::pair<std::string, std::string>>& rows);
  /// Cells that begin with a digit or a sign are set to the right. A cell "" is shown as a dash.
  void table(const std::vector<std::string>& header,
             const std::vector<std::vector<std::string>>& rows);
  /// `svg` is markup, such as render_svg() makes.
  void figure(std::string_view svg, std::string_view caption);
  void body(std::string_view markup) { body_ += markup; }

  /// The whole document.
  std::string text() const;

 private:
  std::string title_, subtitle_, body_;
};

}  // namespace octavo::eval
