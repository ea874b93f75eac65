// Elements that every chart has, as markup.
#pragma once

#include <string>
#include <string_view>

namespace octavo::eval {

/// `anchor`: "start", "middle" or "end"; `kind` is a class of plot_style().
std::string text_at(double x, double y, const char* kind, std::string_view anchor,
                    std::string_view text);
std::string line(double x1, double y1, double x2, double y2, const char* kind);

}  // namespace octavo::eval
