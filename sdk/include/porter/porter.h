#pragma once
// Everything a plugin or hook needs.

#include <porter/plugin.h>
#include <porter/tools.h>
