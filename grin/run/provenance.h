#pragma once
// Where a result comes from: what grin.json says.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "grin/base/json.h"
#include "grin/locate/mask.h"
#include "grin/tune/tune.h"

namespace grin {

// Bytes that are not UTF-8, which JSON cannot hold, replaced by U+FFFD. A path may have such.
std::string ValidUtf8(std::string_view text);

// A visitor of option structs that writes their fields down.
class RecipeWriter {
 public:
  template <typename T>
  void operator()(const std::string& name, const T& value, const std::string&) {
    if constexpr (std::is_same_v<T, std::string>) {
      recipe_[name] = ValidUtf8(value);
    } else if constexpr (std::is_arithmetic_v<T>) {
      recipe_[name] = value;
    } else if constexpr (std::is_same_v<T, std::optional<double>>) {
      if (value) recipe_[name] = *value;  // else it means nothing to this run
    } else {
      recipe_[name] = Json::array();
      for (const std::string& part : value) recipe_[name].push_back(ValidUtf8(part));
    }
  }
  void List(const std::string& name, const std::string& value, const std::string& help) {
    (*this)(name, value, help);
  }

  const Json& recipe() const { return recipe_; }

 private:
  Json recipe_ = Json::object();
};

// The settings that make a result what it is, by the names of their flags, and the number of threads.
// Where the result goes is not one of them: OutputOptions are not to be passed.
template <typename... Options>
Json RecipeOf(Options... options);

// Names data, in one file or several, with their fingerprint.
Json DescribeInput(const std::filesystem::path& files, int64_t records);

// The start of grin.json: version, command, recipe and its hash, threads.
Json Provenance(std::string_view command, const Json& recipe);

// What a mask looks like: how many weights it selects, and which share of each kind of module.
Json DescribeMask(const Mask& mask);

// Steps, losses and the guard of a training run.
Json DescribeTuning(const TuneReport& report);

// Detail of RecipeOf.
Json WithThreads(Json recipe);

template <typename... Options>
Json RecipeOf(Options... options) {
  RecipeWriter writer;
  (options.Visit(writer), ...);
  return WithThreads(writer.recipe());
}

}  // namespace grin
