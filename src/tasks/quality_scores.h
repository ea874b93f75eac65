// What studies of quality have measured, kept in a file so that a study that was stopped need not
// measure it again.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace octavo::tasks {

/// Numbers by name, of one identity (model, build, data set ...). A cache: a file that is damaged
/// or cannot be written is passed over.
class QualityScores {
 public:
  /// `directory`/`digest of identity`.json; in memory alone for an empty directory.
  QualityScores(const std::string& directory, const std::string& identity);

  std::optional<double> find(const std::string& name) const;
  /// On disk, beside what others have added meanwhile, when this returns.
  void put(const std::map<std::string, double>& numbers);

 private:
  std::map<std::string, double> read() const;

  std::string path_, identity_;
  std::map<std::string, double> numbers_;
};

}  // namespace octavo::tasks
