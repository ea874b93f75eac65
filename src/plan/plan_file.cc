#include "plan/plan_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "octavo/error.h"

namespace octavo::plan {
namespace {

constexpr std::string_view kMagic = "octavopl";
constexpr std::size_t kHeader = 64, kDigested = 16, kBlobAlignment = 64;

std::size_t round_up(std::size_t n, std::size_t step) { return (n + step - 1) / step * step; }

std::uint64_t fnv1a(std::span<const std::byte> bytes, std::uint64_t hash = 0xcbf29ce484222325u) {
  for (const std::byte byte : bytes)
    hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3u;
  return hash;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

void append(std::string& out, std::uint64_t value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

}  // namespace

void PlanWriter::put(std::uint64_t value) { append(metadata_, value); }

void PlanWriter::put(float value) { put(std::uint64_t{std::bit_cast<std::uint32_t>(value)}); }

void PlanWriter::put(const std::string& text) {
  put(static_cast<std::uint64_t>(text.size()));
  metadata_ += text;
}

void PlanWriter::put_blob(std::span<const std::byte> bytes, Section& section) {
  (*this)(section.number, section.size, bytes.size());
  section.blobs.push_back(bytes);
  section.size += round_up(bytes.size(), kBlobAlignment);
}

void PlanWriter::put_tensor(const Tensor& tensor, Section& section) {
  const Tensor floats = tensor.dtype() == DType::kFloat32 ? tensor : Tensor();
  put(floats.shape());
  put_blob({floats.bytes(), floats.byte_size()}, section);
}

void PlanWriter::write(std::ostream& out) const {
  const std::size_t hot = round_up(kHeader + metadata_.size(), FileMapping::kAlignment);
  const std::size_t cold = hot + round_up(hot_.size, FileMapping::kAlignment);
  std::string digested;
  for (const std::uint64_t value :
       {kPlanFormat, std::uint64_t{metadata_.size()}, std::uint64_t{hot}, std::uint64_t{hot_.size},
        std::uint64_t{cold}, std::uint64_t{cold_.size}}) {
    append(digested, value);
  }
  std::string header(kMagic);
  append(header, fnv1a(bytes_of(metadata_), fnv1a(bytes_of(digested))));
  out << header << digested << metadata_;
  for (const auto& [section, offset] : {std::pair{&hot_, hot}, std::pair{&cold_, cold}}) {
    static constexpr std::array<char, kBlobAlignment> kZeros{};
    out.seekp(static_cast<std::streamoff>(offset));
    for (const auto blob : section->blobs) {
      out.write(reinterpret_cast<const char*>(blob.data()),
                static_cast<std::streamsize>(blob.size()));
      const std::size_t rest = round_up(blob.size(), kBlobAlignment) - blob.size();
      out.write(kZeros.data(), static_cast<std::streamsize>(rest));
    }
  }
  if (hot_.size + cold_.size == 0) return;
  if (cold_.size == 0) {  // the file ends where the cold section would begin
    out.seekp(static_cast<std::streamoff>(cold - 1));
    out.put('\0');
  }
}

PlanReader::PlanReader(std::shared_ptr<const FileMapping> mapping, std::string path)
    : mapping_(std::move(mapping)), path_(std::move(path)) {
  const std::span<const std::byte> file = mapping_->bytes();
  ByteReader header(file, path_);
  if (header.text(kMagic.size(), "magic") != kMagic) header.fail("magic", "not a compiled plan");
  const std::uint64_t digest = header.u64_le("digest");
  if (header.u64_le("format") != kPlanFormat)
    header.fail("format", "another version of the format");
  const std::uint64_t metadata = header.u64_le("size of the metadata");
  for (Section& section : sections_) {
    section.offset = header.u64_le("section");
    section.size = header.u64_le("size of a section");
    if (section.offset % FileMapping::kAlignment != 0 ||
        (section.size > 0 &&
         (section.offset > file.size() || section.size > file.size() - section.offset))) {
      header.fail("section", "the file is shorter than its header says");
    }
    section.bytes = file.subspan(section.size > 0 ? section.offset : 0, section.size);
    section.owner = mapping_;
  }
  reader_ = ByteReader(header.bytes(metadata, "metadata"), path_, kHeader);
  if (fnv1a(file.subspan(kDigested, kHeader - kDigested + metadata)) != digest)
    header.fail("digest", "the metadata is damaged");
}

void PlanReader::load_weights(ThreadPool* pool) {
  Section& hot = sections_[0];
  if (mapping_->load(hot.offset, hot.size)) return;
  const auto copy = std::make_shared<Buffer>(hot.size);
  constexpr std::size_t kPiece = FileMapping::kAlignment;
  const auto one = [&](std::size_t i, int) {
    const std::size_t at = i * kPiece;
    std::memcpy(copy->data() + at, hot.bytes.data() + at, std::min(kPiece, hot.size - at));
    mapping_->release(hot.offset + at, std::min(kPiece, hot.size - at));
  };
  const std::size_t pieces = (hot.size + kPiece - 1) / kPiece;
  if (pool != nullptr) {
    pool->parallel_for(pieces, one);
  } else {
    for (std::size_t i = 0; i < pieces; ++i) one(i, 0);
  }
  hot.bytes = copy->bytes();
  hot.owner = copy;
}

std::uint64_t PlanReader::number(std::uint64_t most) {
  const std::uint64_t value = reader_.u64_le("number");
  require(value <= most, "a number out of its range");
  return value;
}

void PlanReader::get(BufferId& value) {
  std::int64_t wide = 0;
  get(wide);
  require(wide >= -1 && wide < static_cast<std::int64_t>(limits.widths.size()), "a buffer");
  value = static_cast<BufferId>(wide);
}

void PlanReader::get(float& value) {
  value = std::bit_cast<float>(static_cast<std::uint32_t>(number(0xffffffffu)));
}

void PlanReader::get(std::string& text) { text = std::string(reader_.text(count(), "text")); }

void PlanReader::get(View& view) {
  (*this)(view.buffer, view.offset, view.width, view.layout);
  require(view.buffer >= 0, "a view without a buffer");
  const std::size_t width = limits.widths[static_cast<std::size_t>(view.buffer)];
  require(view.width > 0 && view.width <= width && view.offset <= width - view.width,
          "a view past the end of its buffer");
}

void PlanReader::get(TileView& view) {
  (*this)(view.tiles, view.scale, view.width, view.row_bytes);
  require(view.tiles >= 0, "tiles without a buffer");
  const std::size_t width = limits.widths[static_cast<std::size_t>(view.tiles)];
  require(view.width > 0 && view.row_bytes % sizeof(float) == 0 &&
              view.row_bytes / sizeof(float) == width,
          "tiles that do not fit their buffer");
  require(view.scale < 0 || limits.widths[static_cast<std::size_t>(view.scale)] == 1,
          "scales that do not fit their buffer");
}

void PlanReader::get(Tensor& tensor) {
  Shape shape;
  get(shape);
  constexpr std::int64_t kMostElements = std::int64_t{1} << 40;
  std::int64_t elements = 1;
  for (const std::int64_t dim : shape) {
    require(dim > 0 && dim <= kMostElements / elements, "the shape of a tensor");
    elements *= dim;
  }
  tensor = Tensor(DType::kFloat32, std::move(shape),
                  blob(static_cast<std::size_t>(elements) * sizeof(float)), 0);
}

Blob PlanReader::blob(std::size_t size) {
  const Section& section = sections_[number(1)];
  std::size_t offset = 0, stored = 0;
  (*this)(offset, stored);
  require(stored == size, "the size of weights");
  require(offset % kBlobAlignment == 0 && offset <= section.size && size <= section.size - offset,
          "weights past the end of their section");
  return Buffer::view(section.bytes.subspan(offset, size), section.owner);
}

std::size_t PlanReader::count() {
  const std::uint64_t value = reader_.u64_le("count");
  require(value <= reader_.remaining(), "a count");
  return value;
}

}  // namespace octavo::plan
