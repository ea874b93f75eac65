// Where the time of a model's run goes: its steps gathered into tables, each row beside what the
// machine could do at most, folded stacks for other tools, and a flame graph as one SVG file.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/benchmark.h"
#include "octavo/model.h"
#include "octavo/peaks.h"
#include "octavo/runtime_options.h"

namespace octavo {

struct ProfileOptions {
  RuntimeOptions runtime{};
  /// Empty: 32 texts of 256 tokens, or of as many as the model takes.
  std::vector<BenchmarkCase> cases{};
  double min_seconds = 1;  // a case
  /// Called after each case.
  std::function<void(std::size_t done, std::size_t total)> progress{};
};

struct CaseProfile {
  BenchmarkCase what;
  RunProfile run;
};

struct ProfileResult {
  std::string model, isa, precision;
  int threads = 1;
  std::vector<CaseProfile> cases;
  MachinePeaks peaks;  // of the types that the model computes products in, and of the memory
};

/// What makes steps one row: equal op, shape and kernel; the layer that their names tell; nothing.
enum class ProfileBy { kOp, kLayer, kStep };
/// "op", "layer" or "step". Throws kInvalidArgument for anything else.
ProfileBy parse_profile_by(std::string_view name);

/// Times are of one run on all threads: thread-seconds / threads, so that rows add up to the run.
struct ProfileRow {
  std::string name;               // of the layer or the step; empty by op
  std::string op, shape, kernel;  // empty by layer
  std::size_t calls = 0;          // steps of the plan
  double seconds = 0;
  double share = 0;  // of the run
  double multiply_adds = 0;
  std::size_t weight_bytes = 0;  // of the steps with products; a run reads them at least once
  /// 0 where no step of the row has products: operations (two a multiply-add) and bytes of weights
  /// by `seconds`.
  double operations_per_second = 0, bytes_per_second = 0;
  /// The time that the products would take at the peaks of the types their kernels compute in, as a
  /// share of `seconds`; 0 when unknown.
  double share_of_peak = 0;
  double share_of_memory_peak = 0;  // bytes_per_second / the peak of reading memory
};

struct ProfileTable {
  std::vector<ProfileRow> rows;  // longest first
  ProfileRow others;             // what `top` left out, in one row; no calls: nothing
  /// Threads that had no step to work on: what all rows lack of threads x time of the run.
  ProfileRow waiting;
  ProfileRow total;  // all of the above
};

/// Loads the model and measures. Errors as Model::load() and Model::profile(), and kUnsupported
/// where the plan has no steps.
ProfileResult run_profile(const std::string& model, const ProfileOptions& options);

/// Of result.cases[index]; `top` rows at most, 0 for all.
ProfileTable profile_table(const ProfileResult& result, std::size_t index, ProfileBy by,
                           std::size_t top = 0);

/// "model;layer 0;attention.self.query linear 384->384 4711": a line a step, in plan order, and one
/// for waiting, in microseconds of the run. Steps below half a microsecond are left out.
std::string folded_stacks(const ProfileResult& result, std::size_t index);
/// folded_stacks() as a file. Atomic. Throws kIo.
void write_folded_stacks(const std::string& path, const ProfileResult& result, std::size_t index);
/// One SVG file without scripts or references to anything else. Atomic. Throws kIo.
void write_flame_graph(const std::string& path, const ProfileResult& result, std::size_t index);

}  // namespace octavo
