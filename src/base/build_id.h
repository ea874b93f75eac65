// Which build of octavo this is.
#pragma once

#include <string>

namespace octavo {

/// The linker's build id of the program or library that holds this code, in hexadecimal; empty
/// where it was linked without one.
std::string build_id();

}  // namespace octavo
