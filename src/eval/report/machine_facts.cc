#include "eval/report/machine_facts.h"

#include <fmt/format.h>

#include <ctime>

#include "octavo/system.h"

namespace octavo::eval {
namespace {

std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return {text, size};
}

}  // namespace

std::vector<std::pair<std::string, std::string>> machine_facts(int threads,
                                                               const std::string& kernels) {
  const SystemReport system = inspect_system();
  const auto known = [](const std::string& text) { return text.empty() ? "unknown" : text; };
  return {{"CPU", known(system.cpu)},
          {"Cores", fmt::format("{}, {} used", system.cores, threads)},
          {"Kernels", kernels},
          {"Memory", fmt::format("{:.1f} GiB", static_cast<double>(system.memory_bytes) / 0x1p30)},
          {"Huge pages", known(system.transparent_huge_pages)},
          {"octavo", version()},
          {"Date", now()}};
}

}  // namespace octavo::eval
