// "Did you mean ...": the nearest of the known words.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace octavo::cli {

/// The known word with the fewest edits (insert, delete, replace, swap neighbours) from `word`;
/// empty when none is near.
std::string nearest(std::string_view word, std::span<const std::string> known);

}  // namespace octavo::cli
