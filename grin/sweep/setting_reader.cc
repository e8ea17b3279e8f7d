#include "grin/sweep/setting_reader.h"

#include <algorithm>

#include "grin/base/error.h"

namespace grin {

std::string SettingKey(std::string key) {
  std::ranges::replace(key, '_', '-');
  return key;
}

double SettingReader::NumberOf(const std::string& text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

const SettingReader::Field& SettingReader::Find(const SettingValue& setting) const {
  if (const auto why = refused_.find(setting.key); why != refused_.end()) {
    BadUsage("config", "{}: '{}' does not stand here: {}", setting.place, setting.key, why->second);
  }
  const auto found = fields_.find(setting.key);
  if (found != fields_.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [name, field] : fields_) {
    if (!refused_.contains(name)) known.push_back(name);
  }
  UnknownSetting(setting.place, setting.key, known,
                 "; docs/sweeps.md says which keys a section has");
}

void SettingReader::Set(const SettingValue& setting) const {
  const Field& field = Find(setting);
  field.set(SettingTexts(setting.value, field.kind, setting.place, setting.key));
}

}  // namespace grin
