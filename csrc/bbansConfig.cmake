# find_package(bbans): bbans::static, bbans::shared, and bbans::bbans, which is the
# shared one where BUILD_SHARED_LIBS is on.
include("${CMAKE_CURRENT_LIST_DIR}/bbansTargets.cmake")
if(NOT TARGET bbans::bbans)
  add_library(bbans::bbans INTERFACE IMPORTED)
  if(BUILD_SHARED_LIBS)
    set_property(TARGET bbans::bbans PROPERTY
      INTERFACE_LINK_LIBRARIES bbans::shared)
  else()
    set_property(TARGET bbans::bbans PROPERTY
      INTERFACE_LINK_LIBRARIES bbans::static)
  endif()
endif()
