// The reading half of ir/text.h.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "base/checked.h"
#include "base/half.h"
#include "ir/text.h"
#include "octavo/error.h"

namespace octavo::ir {
namespace {

constexpr std::size_t kMaxElements = std::size_t{1} << 28;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '/' || c == ':' || c == '-' || c == '+';
}

template <typename T>
void put(Tensor& tensor, std::size_t i, T value) {
  tensor.mutable_data<T>()[i] = value;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Graph run() {
    if (word() != "graph") fail("a graph begins with 'graph'");
    graph_.name = quoted();
    expect('{');
    while (!take('}')) statement();
    skip();
    if (at_ != text_.size()) fail("there is text after the graph");
    for (const auto& [name, id] : values_) {
      const Value& value = graph_.value(id);
      const auto inputs = graph_.inputs();
      if (value.producer == kNoNode && !value.constant &&
          std::ranges::find(inputs, id) == inputs.end())
        fail("value '" + name + "' is used but never defined");
    }
    graph_.verify();
    return std::move(graph_);
  }

 private:
  [[noreturn]] void fail(std::string message) const {
    const auto line =
        std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
    throw Error(ErrorCode::kInvalidFile, {.message = std::move(message),
                                          .place = "line " + std::to_string(line + 1),
                                          .found = "'" + std::string(text_.substr(at_, 20)) + "'",
                                          .fix = "see src/ir/text.h for the form"});
  }

  void skip() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        ++at_;
      } else {
        return;
      }
    }
  }

  char peek() {
    skip();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(std::string("'") + c + "' is expected");
  }

  std::string word() {
    skip();
    const std::size_t first = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    if (at_ == first) fail("a word is expected");
    return std::string(text_.substr(first, at_ - first));
  }

  std::string quoted() {
    expect('"');
    std::string out;
    while (at_ < text_.size() && text_[at_] != '"') {
      char c = text_[at_++];
      if (c == '\\' && at_ < text_.size()) {
        c = text_[at_++];
        if (c == 'n') c = '\n';
      }
      out += c;
    }
    expect('"');
    return out;
  }

  std::string name() {
    expect('%');
    return at_ < text_.size() && text_[at_] == '"' ? quoted() : name_word();
  }
  // A ':' that ends a name belongs to the declaration.
  std::string name_word() {
    std::string out = word();
    if (out.back() == ':') {
      out.pop_back();
      --at_;
    }
    if (out.empty()) fail("a name is expected");
    return out;
  }

  ValueId use(const std::string& value) {
    const auto at = values_.find(value);
    if (at != values_.end()) return at->second;
    return values_[value] = graph_.add_value(value);
  }
  ValueId reference() {
    if (peek() == '_') {
      ++at_;
      return kNoValue;
    }
    return use(name());
  }
  void define(const std::string& value, ValueId id) {
    if (!values_.emplace(value, id).second) fail("value '" + value + "' is defined twice");
  }

  DType dtype(const std::string& text) {
    for (std::int64_t i = 0; i < 32; ++i) {
      const auto known = dtype_from_onnx(i);
      if (known && dtype_name(*known) == text) return *known;
    }
    fail("'" + text + "' is no element type");
  }

  template <typename T>
  T number(const std::string& text) {
    T out{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size())
      fail("'" + text + "' is no number");
    return out;
  }

  Shape shape() {
    Shape out;
    expect('[');
    while (!take(']')) {
      out.push_back(number<std::int64_t>(word()));
      if (peek() != ']') expect(',');
    }
    return out;
  }

  void set_element(Tensor& tensor, std::size_t i, const std::string& text) {
    switch (tensor.dtype()) {
      case DType::kFloat32: return put(tensor, i, number<float>(text));
      case DType::kFloat64: return put(tensor, i, number<double>(text));
      case DType::kFloat16: return put(tensor, i, float_to_half(number<float>(text)));
      case DType::kBFloat16: return put(tensor, i, float_to_bf16(number<float>(text)));
      case DType::kInt8: return put(tensor, i, number<std::int8_t>(text));
      case DType::kUint8: return put(tensor, i, number<std::uint8_t>(text));
      case DType::kBool: return put(tensor, i, static_cast<std::uint8_t>(number<int>(text) != 0));
      case DType::kInt16: return put(tensor, i, number<std::int16_t>(text));
      case DType::kUint16: return put(tensor, i, number<std::uint16_t>(text));
      case DType::kInt32: return put(tensor, i, number<std::int32_t>(text));
      case DType::kUint32: return put(tensor, i, number<std::uint32_t>(text));
      case DType::kInt64: return put(tensor, i, number<std::int64_t>(text));
      case DType::kUint64: return put(tensor, i, number<std::uint64_t>(text));
    }
  }

  // After the element type: "[2, 2] = [1, 2, 3, 4]".
  Tensor tensor(DType type) {
    const Shape dims = shape();
    const auto count = checked_elements(dims);
    if (!count || *count > kMaxElements) fail("a constant is too large");
    Tensor out(type, dims);
    expect('=');
    if (take('[')) {
      for (std::size_t i = 0; i < out.elements(); ++i) {
        if (i != 0) expect(',');
        set_element(out, i, word());
      }
      expect(']');
      return out;
    }
    const std::string how = word();
    if (how == "...") fail("the elements of a constant are not in the text");
    if (how == "fill" || how == "random") {
      expect('(');
      const std::string argument = word();
      expect(')');
      auto state = how == "random" ? number<std::uint32_t>(argument) : 0u;
      for (std::size_t i = 0; i < out.elements(); ++i) {
        state = state * 1664525u + 1013904223u;  // Numerical Recipes, chapter 7
        if (how == "fill") {
          set_element(out, i, argument);
        } else if (dtype_is_float(type)) {
          set_element(out, i, std::to_string(static_cast<float>(state >> 8) / 8388608.0f - 1.0f));
        } else {
          set_element(out, i, std::to_string((state >> 16) % 10));
        }
      }
      return out;
    }
    if (out.elements() != 1) fail("a constant has too few elements");
    set_element(out, 0, how);
    return out;
  }

  Attribute scalar_attribute(const std::string& text) {
    if (text.find_first_not_of("+-0123456789") == std::string::npos) {
      return number<std::int64_t>(text);
    }
    return number<float>(text);
  }

  Attribute list_attribute() {
    expect('[');
    std::vector<std::int64_t> ints;
    std::vector<float> floats;
    std::vector<std::string> strings;
    while (!take(']')) {
      if (peek() == '"') {
        strings.push_back(quoted());
      } else {
        const Attribute one = scalar_attribute(word());
        if (const auto* i = std::get_if<std::int64_t>(&one)) {
          ints.push_back(*i);
        } else {
          floats.push_back(std::get<float>(one));
        }
      }
      if (peek() != ']') expect(',');
    }
    const int kinds = !ints.empty() + !floats.empty() + !strings.empty();
    if (kinds != 1) fail("a list attribute holds elements of one kind");
    if (!ints.empty()) return ints;
    if (!floats.empty()) return floats;
    return strings;
  }

  Attribute attribute() {
    if (peek() == '"') return quoted();
    if (peek() == '[') return list_attribute();
    const std::string text = word();
    if (peek() != '[') return scalar_attribute(text);
    if (text != "ints" && text != "floats" && text != "strings") return tensor(dtype(text));
    expect('[');
    expect(']');
    if (text == "ints") return std::vector<std::int64_t>{};
    if (text == "floats") return std::vector<float>{};
    return std::vector<std::string>{};
  }

  void input() {
    const std::string value = name();
    expect(':');
    const std::string type = word();
    std::vector<Dim> dims;
    const bool ranked = take('[');
    while (ranked && !take(']')) {
      if (take('?')) {
        dims.emplace_back();
      } else {
        const std::string text = word();
        const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
        dims.push_back(digits ? Dim{number<std::int64_t>(text), {}} : Dim{-1, text});
      }
      if (peek() != ']') expect(',');
    }
    const ValueId id = graph_.add_input(value, dtype(type), std::move(dims));
    if (!ranked) graph_.value(id).shape.reset();
    define(value, id);
  }

  void node() {
    Node out;
    do {
      out.outputs.push_back(reference());
      if (out.outputs.back() == kNoValue) continue;
      const Value& value = graph_.value(out.outputs.back());
      if (value.producer != kNoNode || value.constant || value.dtype)
        fail("value '" + value.name + "' is defined twice");
    } while (take(','));
    expect('=');
    const std::string full = word();
    const auto dot = full.rfind('.');
    out.op = dot == std::string::npos ? full : full.substr(dot + 1);
    out.domain = dot == std::string::npos ? "" : full.substr(0, dot);
    expect('(');
    while (!take(')')) {
      out.inputs.push_back(reference());
      if (peek() != ')') expect(',');
    }
    if (take('{')) {
      while (!take('}')) {
        const std::string key = word();
        expect('=');
        out.attributes.set(key, attribute());
        if (peek() != '}') expect(',');
      }
    }
    if (take('@')) {
      out.name = quoted();
    } else if (out.outputs[0] != kNoValue) {
      out.name = graph_.value(out.outputs[0]).name;
    }
    graph_.add_node(std::move(out));
  }

  void statement() {
    if (peek() == '%' || peek() == '_') return node();
    const std::string kind = word();
    if (kind == "input") return input();
    if (kind == "const") {
      const std::string value = name();
      expect(':');
      const DType type = dtype(word());
      return define(value, graph_.add_constant(value, tensor(type)));
    }
    if (kind != "output") fail("'" + kind + "' begins no statement");
    const ValueId id = use(name());
    graph_.add_output(id, peek() == '"' ? quoted() : graph_.value(id).name);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Graph graph_;
  std::map<std::string, ValueId> values_;
};

}  // namespace

Graph parse(std::string_view text) { return Parser(text).run(); }

}  // namespace octavo::ir
