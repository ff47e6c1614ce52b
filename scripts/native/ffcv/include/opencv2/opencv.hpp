// Replaces OpenCV's own opencv2/opencv.hpp while FFCV is built: only the two modules that it uses.
#pragma once
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
