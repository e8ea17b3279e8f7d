# cmake -DOUT=assets.cc "-DFILES=a.css;b.js" -P write_assets.cmake: constants kAssetACss, kAssetBJs
# of namespace grin.
set(text "// Made by cmake/write_assets.cmake.\n#include <string_view>\n\nnamespace grin {\n\n")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME)
  string(REGEX REPLACE "[^A-Za-z0-9]+" ";" words ${name})
  set(constant "kAsset")
  foreach(word ${words})
    string(SUBSTRING ${word} 0 1 first)
    string(SUBSTRING ${word} 1 -1 rest)
    string(TOUPPER ${first} first)
    string(APPEND constant ${first}${rest})
  endforeach()
  file(READ ${file} content HEX)
  string(LENGTH "${content}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${content}")
  string(APPEND text "static const unsigned char ${constant}Bytes[] = {${bytes}0};\n"
    "extern const std::string_view ${constant};\n"
    "const std::string_view ${constant}(reinterpret_cast<const char*>(${constant}Bytes), ${size});\n\n")
endforeach()
string(APPEND text "}  // namespace grin\n")
file(WRITE ${OUT} "${text}")
