// Plans kept in a directory, one file each (plan/plan_file.h), so that a start maps weights instead
// of reading, lifting and packing a model.
//
// A plan is found again by the model's path, what is done with its graph, the precision, the
// instruction set and the build of octavo; it is used only while every file that it was made from
// has the size, the times and the inode it had. Nothing here fails: what cannot be read or written
// is left out, and note() says so.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "plan/plan.h"
#include "tasks/model_files.h"
#include "tasks/output_choice.h"

namespace octavo::tasks {

/// What a task knows of a model beside its plan.
struct ModelFacts {
  std::string family;
  std::vector<std::string> files;  // that were read, as absolute paths
  OutputChoice output;
};

struct CachedPlan {
  std::unique_ptr<plan::Plan> plan;
  ModelFacts facts;
};

class PlanCache {
 public:
  /// Files in a directory that grows larger lose the one that was used longest ago.
  static constexpr std::uint64_t kMostBytes = std::uint64_t{8} << 30;

  /// `use` names what the task does with the graph before it is planned. No directory, no cache.
  PlanCache(std::string directory, const ModelFiles& model, std::string_view use, IsaMask isa,
            plan::Precision precision);

  bool enabled() const { return !path_.empty(); }
  const std::string& path() const { return path_; }

  /// Nothing when there is no plan, when it is not of these files any more, or when it is damaged.
  std::optional<CachedPlan> find(ThreadPool* pool);
  /// The moment before the model's files are read: files that changed after it are not trusted.
  void start_import();
  /// False when it could not be kept.
  bool store(const plan::Plan& plan, const ModelFacts& facts);

  const std::string& note() const { return note_; }

 private:
  std::optional<CachedPlan> read(ThreadPool* pool);
  void make_room() const;

  std::string directory_, path_, key_, note_;
  IsaMask isa_;
  std::int64_t started_ = 0;  // nanoseconds of the real-time clock
};

}  // namespace octavo::tasks
