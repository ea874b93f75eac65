// Texts as calibration samples.
#pragma once

#include <string>
#include <vector>

#include "octavo/quantize.h"
#include "quant/calibrate.h"
#include "tasks/model_files.h"

namespace octavo::tasks {

/// The samples of a model: at most options.samples texts, evenly spread over all of them, cut to
/// options.max_length tokens; empty lines count for nothing. Error(kInvalidArgument) for fewer
/// than kFewestSamples texts and where max_length leaves no token of them, kNotFound for a model
/// without tokenizer.
std::vector<quant::Sample> calibration_samples(const ModelFiles& model,
                                               const CalibrationOptions& options);

/// The files that calibration_samples() reads, for the record: "texts.txt (sha256 ab12...), ...".
/// The corpus of a BEIR directory has its name: "scifact/corpus.jsonl".
std::string calibration_sources(const CalibrationOptions& options);

inline constexpr std::size_t kFewestSamples = 8;

}  // namespace octavo::tasks
