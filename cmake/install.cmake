# What `cmake --install` gives: the command, and the library as other programs use it: one shared
# library made of the rooms, their headers, and the package `grin` with the target grin::grin. Shared,
# so that who uses it needs no other libraries than those its headers name (LibTorch, fmt,
# nlohmann-json).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(objects)
set(rooms)
foreach(room IN LISTS GRIN_LIBRARY_ROOMS)
  get_target_property(type grin_${room} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    list(APPEND objects $<TARGET_OBJECTS:grin_${room}>)
  endif()
  list(APPEND rooms grin_${room})
endforeach()
add_library(grin_shared SHARED ${objects})
# The rooms bring the libraries that they use; all of their own code is there already.
target_link_libraries(grin_shared PRIVATE ${rooms})
set_target_properties(grin_shared PROPERTIES OUTPUT_NAME grin LINKER_LANGUAGE CXX
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION})

install(TARGETS grin RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS grin_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(room IN LISTS GRIN_LIBRARY_ROOMS)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/grin/${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/grin
    FILES_MATCHING PATTERN "*.h")
endforeach()

set(GRIN_SONAME libgrin.so.${PROJECT_VERSION})
set(GRIN_LIBRARY ${CMAKE_INSTALL_LIBDIR}/${GRIN_SONAME})
set(GRIN_INCLUDE_DIR ${CMAKE_INSTALL_INCLUDEDIR})
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/grin)
configure_package_config_file(cmake/grinConfig.cmake.in
  ${CMAKE_BINARY_DIR}/generated/grinConfig.cmake INSTALL_DESTINATION ${package}
  PATH_VARS GRIN_LIBRARY GRIN_INCLUDE_DIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/grinConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/generated/grinConfig.cmake
  ${CMAKE_BINARY_DIR}/generated/grinConfigVersion.cmake ${CMAKE_SOURCE_DIR}/cmake/torch.cmake
  DESTINATION ${package})
