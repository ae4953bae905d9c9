# SPDX-License-Identifier: MIT
# World before, commands, world after: the real program on a temporary state directory.
batch_world_tests = \
	tests/batch/apt_kernels.py \
	tests/batch/catalogs.py \
	tests/batch/cgroups.py \
	tests/batch/complete.py \
	tests/batch/config.py \
	tests/batch/df.py \
	tests/batch/distro_kernels.py \
	tests/batch/doctor.py \
	tests/batch/firecracker.py \
	tests/batch/firecracker_api.py \
	tests/batch/events.py \
	tests/batch/generic_kernel.py \
	tests/batch/guest.py \
	tests/batch/image_hostile.py \
	tests/batch/image_pull.py \
	tests/batch/image_service.py \
	tests/batch/hostile.py \
	tests/batch/images.py \
	tests/batch/kernel_import.py \
	tests/batch/kernel_list.py \
	tests/batch/kernel_pull.py \
	tests/batch/kernel_rm.py \
	tests/batch/kernel_verify.py \
	tests/batch/left_queue.py \
	tests/batch/lists.py \
	tests/batch/local.py \
	tests/batch/logout.py \
	tests/batch/long_day.py \
	tests/batch/lying_guest.py \
	tests/batch/machine_life.py \
	tests/batch/machine_truth.py \
	tests/batch/machines.py \
	tests/batch/nested_firecracker.py \
	tests/batch/network.py \
	tests/batch/many_guests.py \
	tests/batch/options.py \
	tests/batch/output.py \
	tests/batch/preflight.py \
	tests/batch/previous.py \
	tests/batch/progress.py \
	tests/batch/public_images.py \
	tests/batch/publish.py \
	tests/batch/published.py \
	tests/batch/real_firecracker.py \
	tests/batch/real_guest.py \
	tests/batch/real_images.py \
	tests/batch/real_machines.py \
	tests/batch/real_network.py \
	tests/batch/real_reach.py \
	tests/batch/real_servers.py \
	tests/batch/room.py \
	tests/batch/scripts.py \
	tests/batch/signals.py \
	tests/batch/real_snapshots.py \
	tests/batch/snapshots.py \
	tests/batch/speed.py \
	tests/batch/terminal.py \
	tests/batch/trash.py \
	tests/batch/transfers.py \
	tests/batch/two_at_once.py \
	tests/batch/unlucky.py \
	tests/batch/unreadable.py \
	tests/batch/waiting_jobs.py \
	tests/batch/usage.py \
	tests/batch/volumes.py
TESTS += $(batch_world_tests)
EXTRA_DIST += $(batch_world_tests) tests/batch/world.py tests/batch/images_world.py tests/batch/echo_server.py tests/batch/machine_world.py tests/batch/firecracker_calls.py \
	tests/batch/ssh_tree.py tests/batch/seat.py tests/batch/jobs_world.py \
	tests/batch/web_world.py tests/batch/network_world.py tests/batch/login_world.py tests/support/distro_repo.py
tests/batch/local.log: banger
