// The verbs' entry points, one file each.
#pragma once

#include "command.h"

namespace octavo::cli {

void define_bench(Command& command, Context& context);
void define_compare(Command& command, Context& context);
void define_convert(Command& command, Context& context);
void define_doctor(Command& command, Context& context);
void define_embed(Command& command, Context& context);
void define_eval(Command& command, Context& context);
void define_inspect(Command& command, Context& context);
void define_optimize(Command& command, Context& context);
void define_profile(Command& command, Context& context);
void define_quantize(Command& command, Context& context);
void define_rerank(Command& command, Context& context);
void define_run(Command& command, Context& context);
void define_search(Command& command, Context& context);
void define_tokenize(Command& command, Context& context);
void define_version(Command& command, Context& context);

}  // namespace octavo::cli
