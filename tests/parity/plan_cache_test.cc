// Plans kept on disk: the tiny models of every family give the same bits from a kept plan, and a
// kept plan that is stale, damaged, unwritable or written by two at once does no harm.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "fixtures.h"
#include "octavo/embedder.h"
#include "octavo/error.h"
#include "octavo/reranker.h"

namespace octavo::parity {
namespace {

namespace fs = std::filesystem;

class PlanCache : public testing::Test {
 protected:
  fs::path root_ = fs::temp_directory_path() / ("octavo-plans-" + std::to_string(::getpid()));
  std::string cache_ = (root_ / "below" / "plans").string();

  void SetUp() override { fs::create_directories(root_); }
  void TearDown() override { fs::remove_all(root_); }

  RuntimeOptions options(const std::string& precision = "int8", const std::string& isa = "native") {
    return {.threads = 2, .isa = isa, .precision = precision, .plan_cache = cache_};
  }
  /// A copy that tests may change, old enough to be trusted; with the tokenizer and the settings of
  /// `beside`, a folder of the test data.
  std::string copy_model(const std::string& name, const std::string& beside = {}) {
    const fs::path to = root_ / name;
    fs::copy(data_folder() + "/models/" + name, to, fs::copy_options::recursive);
    if (!beside.empty()) {
      fs::copy(data_folder() + "/" + beside, to,
               fs::copy_options::recursive | fs::copy_options::skip_existing);
    }
    settle();
    return to.string();
  }
  static void settle() { std::this_thread::sleep_for(std::chrono::milliseconds(150)); }
  std::vector<fs::path> kept() const {
    std::vector<fs::path> out;
    if (!fs::exists(cache_)) return out;
    for (const auto& entry : fs::directory_iterator(cache_)) out.push_back(entry.path());
    return out;
  }
};

std::vector<std::vector<std::byte>> outputs(Model& model, const std::string& family) {
  const auto expected =
      formats::SafetensorsFile::open(data_folder() + "/models/" + family + "/expected.safetensors");
  std::vector<std::vector<std::byte>> out;
  for (NamedTensor& tensor : model.run(golden_inputs(expected))) out.push_back(tensor.data);
  return out;
}

std::string source_of(Model& model) { return model.summary().plan_source; }

TEST_F(PlanCache, EveryFamilyGivesTheSameBits) {
  for (const char* family : {"bert", "bert-classifier", "distilbert", "roberta",
                             "xlm-roberta-classifier", "modernbert"}) {
    const std::string path = data_folder() + "/models/" + family;
    for (const char* precision : {"fp32", "bf16", "fp16", "int8"}) {
      for (const char* isa : {"portable", "native"}) {
        RuntimeOptions plain = options(precision, isa);
        plain.plan_cache.clear();
        Model without = Model::load(path, plain);
        const auto expected = outputs(without, family);
        EXPECT_EQ(source_of(without), "");
        Model first = Model::load(path, options(precision, isa));
        EXPECT_TRUE(source_of(first).starts_with("kept as ")) << source_of(first);
        EXPECT_EQ(outputs(first, family), expected) << family << precision << isa;
        Model second = Model::load(path, options(precision, isa));
        EXPECT_TRUE(source_of(second).starts_with("read from ")) << source_of(second);
        EXPECT_EQ(outputs(second, family), expected) << family << precision << isa;
        EXPECT_EQ(second.max_tokens(), without.max_tokens());
        EXPECT_EQ(second.linear_weight_bytes(), without.linear_weight_bytes());
      }
    }
  }
  EXPECT_GE(kept().size(), 18u);
  EXPECT_EQ(fs::status(cache_).permissions(), fs::perms::owner_all);
}

TEST_F(PlanCache, OnnxFilesToo) {
  const std::string path = data_folder() + "/onnx/bert-sdpa-dynamo-opset18.onnx";
  Model first = Model::load(path, options()), second = Model::load(path, options());
  EXPECT_TRUE(source_of(second).starts_with("read from ")) << source_of(second);
  EXPECT_EQ(outputs(first, "bert"), outputs(second, "bert"));
}

TEST_F(PlanCache, EmbeddersAndRerankersStartFromIt) {
  const std::string texts[] = {"a kept plan", "of a tiny model"};
  const std::string embed = copy_model("bert", "tiny-embedder"),
                    rerank = copy_model("bert-classifier", "tiny-reranker");
  std::vector<std::vector<float>> vectors, scores;
  std::vector<std::string> digests;
  for (int i = 0; i < 3; ++i) {
    RuntimeOptions runtime = options();
    if (i == 0) runtime.plan_cache.clear();
    Embedder embedder = Embedder::load(embed, {.runtime = runtime});
    vectors.push_back(embedder.embed(texts));
    digests.push_back(embedder.digest());
    Reranker reranker = Reranker::load(rerank, {.runtime = runtime});
    scores.push_back(reranker.score("a query", texts));
    digests.back() += reranker.digest();
  }
  for (int i = 1; i < 3; ++i) {
    EXPECT_EQ(vectors[0], vectors[static_cast<std::size_t>(i)]);
    EXPECT_EQ(scores[0], scores[static_cast<std::size_t>(i)]);
    EXPECT_EQ(digests[0], digests[static_cast<std::size_t>(i)]);
  }
  EXPECT_EQ(kept().size(), 2u);
}

TEST_F(PlanCache, AChangedModelIsReadAgain) {
  const std::string path = copy_model("bert");
  Model first = Model::load(path, options());
  const auto before = outputs(first, "bert");
  // Another value in place, with the size and the time of modification as they were.
  const fs::path weights = fs::path(path) / "model.safetensors";
  const auto time = fs::last_write_time(weights);
  {
    std::fstream file(weights, std::ios::in | std::ios::out | std::ios::binary);
    const std::vector<char> noise(400, 0x3c);
    file.seekp(static_cast<std::streamoff>(fs::file_size(weights) / 2));
    file.write(noise.data(), static_cast<std::streamsize>(noise.size()));
  }
  fs::last_write_time(weights, time);
  Model fresh = Model::load(path, options());
  EXPECT_FALSE(source_of(fresh).starts_with("read from ")) << source_of(fresh);
  EXPECT_NE(outputs(fresh, "bert"), before);
  settle();
  Model again = Model::load(path, options());
  EXPECT_TRUE(source_of(again).starts_with("kept as ")) << source_of(again);
  EXPECT_EQ(outputs(again, "bert"), outputs(fresh, "bert"));
}

TEST_F(PlanCache, ADamagedFileIsIgnoredAndWrittenAnew) {
  const std::string path = data_folder() + "/models/bert";
  Model first = Model::load(path, options());
  const auto expected = outputs(first, "bert");
  ASSERT_EQ(kept().size(), 1u);
  const fs::path file = kept().front();
  const std::size_t whole = fs::file_size(file);
  for (const std::size_t length : {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole / 2}) {
    // A copy is cut and put in its place, as octavo itself would: the old file may be mapped.
    const fs::path part = root_ / "part";
    fs::copy_file(file, part, fs::copy_options::overwrite_existing);
    fs::resize_file(part, length);
    fs::rename(part, file);
    Model model = Model::load(path, options());
    EXPECT_TRUE(source_of(model).starts_with("kept as ")) << source_of(model);
    EXPECT_EQ(outputs(model, "bert"), expected) << length;
  }
  fs::permissions(file, fs::perms::others_write, fs::perm_options::add);
  Model distrustful = Model::load(path, options());
  EXPECT_TRUE(source_of(distrustful).starts_with("kept as ")) << source_of(distrustful);
}

TEST_F(PlanCache, ADirectoryThatCannotBeWrittenDoesNoHarm) {
  const std::string path = data_folder() + "/models/bert";
  std::ofstream(root_ / "file") << "no directory";
  RuntimeOptions blocked = options();
  blocked.plan_cache = (root_ / "file" / "plans").string();
  Model model = Model::load(path, blocked);
  EXPECT_TRUE(source_of(model).starts_with("the plan was not kept: ")) << source_of(model);
  Model usual = Model::load(path, options());
  EXPECT_EQ(outputs(model, "bert"), outputs(usual, "bert"));
  // What is there is read from a directory that is read-only.
  fs::permissions(cache_, fs::perms::owner_read | fs::perms::owner_exec);
  Model read_only = Model::load(path, options());
  EXPECT_TRUE(source_of(read_only).starts_with("read from ")) << source_of(read_only);
  fs::permissions(cache_, fs::perms::owner_all);
}

TEST_F(PlanCache, SeveralWritersAtOnce) {
  const std::string path = data_folder() + "/models/bert";
  RuntimeOptions plain = options();
  plain.plan_cache.clear();
  plain.threads = 1;
  std::vector<std::vector<std::byte>> expected;
  {
    Model model = Model::load(path, plain);
    expected = outputs(model, "bert");
  }
  RuntimeOptions one = options();
  one.threads = 1;
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int wrong = 1;
      try {
        std::thread beside([&] { Model::load(path, one); });
        Model model = Model::load(path, one);
        beside.join();
        wrong = outputs(model, "bert") == expected ? 0 : 2;
      } catch (...) {
        wrong = 3;
      }
      ::_exit(wrong);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(kept().size(), 1u);
  Model model = Model::load(path, one);
  EXPECT_TRUE(source_of(model).starts_with("read from ")) << source_of(model);
  EXPECT_EQ(outputs(model, "bert"), expected);
}

}  // namespace
}  // namespace octavo::parity
