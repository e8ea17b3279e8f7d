#include "grin/report/figures.h"

#include <fmt/format.h>

#include <cmath>

namespace grin {

std::string FormatCount(double value) {
  const std::string digits = fmt::format("{:.0f}", std::abs(value));
  std::string text;
  if (value <= -0.5) text += '-';
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string FormatFigure(double value) {
  const double size = std::abs(value);
  if (!std::isfinite(value)) return fmt::format("{}", value);
  if (size >= 1e9) return fmt::format("{:.2e}", value);
  if (size >= 1000) return FormatCount(value);
  if (size >= 10) return fmt::format("{:.1f}", value);
  if (size > 0 && size < 0.0005) return fmt::format("{:.1e}", value);
  return fmt::format("{:.3f}", value);
}

std::string FormatFigure(const std::optional<double>& value) {
  return value ? FormatFigure(*value) : "–";
}

std::string FormatPercent(double share) {
  const double percent = 100 * share;
  if (percent > 0 && percent < 0.005) return fmt::format("{:.1e} %", percent);
  return percent < 10 ? fmt::format("{:.2f} %", percent) : fmt::format("{:.1f} %", percent);
}

std::string FormatBytes(double bytes) {
  return bytes >= 1e9 ? fmt::format("{:.2f} GB", bytes / 1e9)
                      : fmt::format("{:.0f} MB", bytes / 1e6);
}

std::string FormatTick(double value) {
  const double size = std::abs(value);
  if (size >= 10000 || (size > 0 && size < 0.001)) {
    std::string text = fmt::format("{:.0e}", value);  // "1e-04"
    const size_t zero = text.find_first_of("+-", 1);
    std::string power = text.substr(zero + 1);
    power.erase(0, std::min(power.find_first_not_of('0'), power.size() - 1));
    return text.substr(0, zero) + (text[zero] == '-' ? "-" : "") + power;
  }
  return fmt::format("{:.6g}", value);
}

}  // namespace grin
