#pragma once
// Paths in a sweep's file are relative to that file, and a model may be named by the fine-tuning
// that makes it.

#include <filesystem>
#include <set>
#include <string>

#include "grin/sweep/setting_reader.h"

namespace grin {

struct SweepPaths {
  std::filesystem::path folder;  // of the file, absolute
  std::filesystem::path models;  // where models are made, absolute
  std::set<std::string> made;    // names of models that are made

  // The value with its paths as they are to be used. Other settings come back as they are.
  SettingValue Resolve(SettingValue setting) const;

  // The name of the model that is made there; empty where none is.
  std::string MadeModel(const std::string& path) const;
};

// Whether the setting names files, folders or models.
bool NamesFiles(const std::string& key);

}  // namespace grin
