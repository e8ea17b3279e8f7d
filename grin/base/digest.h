#pragma once
// Digests of files, for checking what was downloaded.

#include <filesystem>
#include <string>

namespace grin {

// In hexadecimal. Error (bad input) when the file cannot be read.
std::string FileSha256(const std::filesystem::path& path);

// The name that git gives the file's content: SHA-1 of "blob SIZE\0" and the content.
std::string FileGitSha1(const std::filesystem::path& path);

}  // namespace grin
