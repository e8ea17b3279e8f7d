#pragma once
// How numbers are written, on the page and in tables.

#include <optional>
#include <string>

namespace grin {

// "0.034", "0.967", "12.3", "4,000": three decimals below 10. Small values that this would round
// away, and huge ones: "4.3e-25".
std::string FormatFigure(double value);

// The same, and a dash where nothing was measured.
std::string FormatFigure(const std::optional<double>& value);

// "4,000,000": whole numbers with their thousands set apart.
std::string FormatCount(double value);

// "3.95 %" of a share.
std::string FormatPercent(double share);

// "1.20 GB".
std::string FormatBytes(double bytes);

// Shortest form, for axes: "0.2", "1e-4", "100".
std::string FormatTick(double value);

}  // namespace grin
