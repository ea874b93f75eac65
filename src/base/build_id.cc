#include "base/build_id.h"

#include <elf.h>
#include <link.h>

#include <cstdint>
#include <cstring>

namespace octavo {
namespace {

struct Search {
  std::uintptr_t code;  // an address inside the object that is looked for
  std::string id;
};

std::string id_of_notes(const char* notes, std::size_t size) {
  static constexpr char kHex[] = "0123456789abcdef";
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes, sizeof note);
    const std::size_t name = (note.n_namesz + 3) / 4 * 4, value = (note.n_descsz + 3) / 4 * 4;
    if (name + value > size - sizeof note) break;
    const char* begin = notes + sizeof note;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(begin, "GNU", 4) == 0) {
      std::string out;
      for (std::size_t i = 0; i < note.n_descsz; ++i) {
        const auto byte = static_cast<unsigned char>(begin[name + i]);
        out += {kHex[byte >> 4], kHex[byte & 15]};
      }
      return out;
    }
    notes = begin + name + value;
    size -= sizeof note + name + value;
  }
  return {};
}

int visit(dl_phdr_info* object, std::size_t, void* data) {
  auto& search = *static_cast<Search*>(data);
  bool ours = false;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& header = object->dlpi_phdr[i];
    const std::uintptr_t begin = object->dlpi_addr + header.p_vaddr;
    ours = ours || (header.p_type == PT_LOAD && search.code - begin < header.p_memsz);
  }
  if (!ours) return 0;
  for (int i = 0; i < object->dlpi_phnum && search.id.empty(); ++i) {
    const auto& header = object->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    search.id = id_of_notes(reinterpret_cast<const char*>(object->dlpi_addr + header.p_vaddr),
                            header.p_memsz);
  }
  return 1;
}

}  // namespace

std::string build_id() {
  Search search{.code = reinterpret_cast<std::uintptr_t>(&build_id), .id = {}};
  ::dl_iterate_phdr(visit, &search);
  return search.id;
}

}  // namespace octavo
