// Plan files: an error, or a plan that runs within its memory. The input is the metadata; header,
// digest and sections that fit are put around it, since the checks behind the digest are what
// stands between a file and the kernels. Seeds: make_plan_corpus.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_mapping.h"
#include "octavo/error.h"
#include "plan/plan.h"

namespace {

using namespace octavo;

constexpr std::size_t kHeader = 64, kHot = std::size_t{256} << 10, kCold = std::size_t{64} << 10;
constexpr std::size_t kMostInput = std::size_t{64} << 10;

std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return hash;
}

std::string file_around(std::string_view metadata) {
  std::string digested;
  for (const std::uint64_t value :
       {plan::kPlanFormat, std::uint64_t{metadata.size()}, std::uint64_t{FileMapping::kAlignment},
        std::uint64_t{kHot}, std::uint64_t{2 * FileMapping::kAlignment}, std::uint64_t{kCold}}) {
    digested.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  digested += metadata;
  const std::uint64_t digest = fnv1a(digested);
  return "octavopl" + std::string(reinterpret_cast<const char*>(&digest), sizeof digest) + digested;
}

void run(const plan::Plan& plan) {
  const std::vector<std::int32_t> ids = {7, 3, 1, 1, 0, 5, 2}, types = {0, 0, 1, 1, 0, 0, 0},
                                  starts = {0, 4, 5, 7};
  const plan::PackedBatch batch{.ids = ids, .type_ids = types, .starts = starts};
  plan.check(batch);
  const std::size_t floats = plan.workspace_floats(batch.tokens(), batch.longest(), 1);
  if (floats > std::size_t{1} << 20) return;
  Buffer workspace(floats * sizeof(float));
  std::memset(workspace.data(), 0, workspace.size());
  std::vector<plan::Matrix> outputs(plan.outputs().size());
  plan.run(batch, reinterpret_cast<float*>(workspace.data()), nullptr, outputs.data());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > kMostInput) return 0;
  const std::string file = file_around({reinterpret_cast<const char*>(data), size});
  const FileDescriptor memory(::memfd_create("plan", MFD_CLOEXEC));
  const std::string weights(kHot, '\x3c');  // small numbers as bytes, bfloat16, half and float32
  const auto put = [&](std::string_view bytes, std::size_t offset) {
    return ::pwrite(memory.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
           static_cast<ssize_t>(bytes.size());
  };
  if (!put(file, 0) || !put(weights, FileMapping::kAlignment) ||
      !put(std::string_view(weights).substr(0, kCold), 2 * FileMapping::kAlignment)) {
    return 0;
  }
  try {
    plan::PlanReader reader(std::make_shared<FileMapping>(memory, "fuzz"), "fuzz");
    reader.load_weights(nullptr);
    run(*plan::Plan::load(reader, 0));
  } catch (const Error&) {
  }
  return 0;
}
