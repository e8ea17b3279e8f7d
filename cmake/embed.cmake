# grin_embed(TARGET files...): each file's content as a string constant in the
# program, declared in grin/report/assets.h. Generated anew when a file changes.
function(grin_embed target)
  set(generated ${CMAKE_BINARY_DIR}/generated/${target}_assets.cc)
  add_custom_command(OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -DOUT=${generated} "-DFILES=${ARGN}"
      -P ${CMAKE_SOURCE_DIR}/cmake/write_assets.cmake
    DEPENDS ${ARGN} ${CMAKE_SOURCE_DIR}/cmake/write_assets.cmake
    COMMENT "Embedding the files of ${target}" VERBATIM)
  target_sources(${target} PRIVATE ${generated})
  set_source_files_properties(${generated} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
endfunction()
