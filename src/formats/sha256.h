// SHA-256 digests of files: what identifies a model in caches and reports.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace octavo::formats {

/// Lower-case hexadecimal digest (FIPS 180-4), 64 characters.
std::string sha256(std::span<const std::byte> bytes);
std::string sha256_file(const std::string& path);
/// The digest of the files' digests, one a line, in the order given: changes when any file's bytes
/// or the order do, not when files are moved or renamed.
std::string sha256_files(const std::vector<std::string>& paths);

}  // namespace octavo::formats
