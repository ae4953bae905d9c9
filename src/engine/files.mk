# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libengine.a
src_libengine_a_SOURCES = \
	src/engine/change_log.c src/engine/change_log.h \
	src/engine/command.c src/engine/command.h \
	src/engine/command_table.c \
	src/engine/engine.c src/engine/engine.h \
	src/engine/engine_internal.h \
	src/engine/guest_blob.c src/engine/guest_blob.h \
	src/engine/housekeeping.c \
	src/engine/job.c src/engine/job.h \
	src/engine/job_file.c src/engine/job_file.h \
	src/engine/leave.c \
	src/engine/meter.c src/engine/meter.h \
	src/engine/news.c src/engine/news.h \
	src/engine/ops.c src/engine/ops.h \
	src/engine/section.c src/engine/section.h \
	src/engine/snapshot.c src/engine/snapshot.h \
	src/engine/state.c src/engine/state.h \
	src/engine/state_internal.h \
	src/engine/state_history.c src/engine/state_history.h \
	src/engine/state_jobs.c src/engine/state_jobs.h \
	src/engine/state_order.c \
	src/engine/state_snapshot.c \
	src/engine/verbs.h \
	src/engine/verbs_catalog.c \
	src/engine/verbs_host.c \
	src/engine/verbs_image.c \
	src/engine/verbs_kernel.c \
	src/engine/verbs_vm.c \
	src/engine/verbs_vm_guest.c \
	src/engine/verbs_vm_life.c \
	src/engine/verbs_vm_snapshot.c \
	src/engine/watcher.c src/engine/watcher.h \
	src/engine/watcher_internal.h \
	src/engine/watcher_tree.c \
	src/engine/workers.c src/engine/workers.h \
	$(engine_ops)

# The operations: one file per subject, named in the rows of the command table.
engine_ops = \
	src/engine/ops_boot_kernel.c src/engine/ops_boot_kernel.h \
	src/engine/ops_catalog.c src/engine/ops_catalog.h \
	src/engine/ops_catalog_document.c \
	src/engine/ops_cgroup.c \
	src/engine/ops_catalog_key.c \
	src/engine/ops_catalog_apt.c \
	src/engine/ops_catalog_load.c \
	src/engine/ops_catalog_publish.c src/engine/ops_catalog_publish.h \
	src/engine/ops_catalog_sources.c \
	src/engine/ops_common.c src/engine/ops_common.h \
	src/engine/ops_events.c \
	src/engine/ops_fetch.c src/engine/ops_fetch.h \
	src/engine/ops_host.c src/engine/ops_host.h \
	src/engine/ops_host_df.c \
	src/engine/ops_host_files.c \
	src/engine/ops_host_gc.c \
	src/engine/ops_image.c src/engine/ops_image.h \
	src/engine/ops_image_draft.c src/engine/ops_image_draft.h \
	src/engine/ops_image_bundle.c \
	src/engine/ops_image_promote.c \
	src/engine/ops_image_pull.c \
	src/engine/ops_image_register.c \
	src/engine/ops_image_registry.c src/engine/ops_image_registry.h \
	src/engine/ops_image_verify.c \
	src/engine/ops_initrd.c src/engine/ops_initrd.h \
	src/engine/ops_job.c \
	src/engine/ops_preflight.c src/engine/ops_preflight.h \
	src/engine/ops_trash.c src/engine/ops_trash.h \
	src/engine/ops_kernel.c src/engine/ops_kernel.h \
	src/engine/ops_kernel_elf.c src/engine/ops_kernel_elf.h \
	src/engine/ops_kernel_export.c \
	src/engine/ops_kernel_import.c \
	src/engine/ops_kernel_pull.c \
	src/engine/ops_kernel_verify.c \
	src/engine/ops_net.c src/engine/ops_net.h \
	src/engine/ops_net_doctor.c \
	src/engine/ops_net_host.c \
	src/engine/ops_ssh.c src/engine/ops_ssh.h \
	src/engine/ops_vm.c src/engine/ops_vm.h \
	src/engine/ops_vm_boot.c \
	src/engine/ops_vm_autostart.c \
	src/engine/ops_vm_change.c \
	src/engine/ops_vm_check.c \
	src/engine/ops_vm_clone.c \
	src/engine/ops_vm_copy.c \
	src/engine/ops_vm_create.c \
	src/engine/ops_vm_env.c \
	src/engine/ops_vm_figures.c \
	src/engine/ops_vm_forward.c \
	src/engine/ops_vm_guest.h \
	src/engine/ops_vm_hand.c \
	src/engine/ops_vm_life.c \
	src/engine/ops_vm_ports.c \
	src/engine/ops_vm_mounts.c \
	src/engine/ops_vm_run.c \
	src/engine/ops_vm_memory.c \
	src/engine/ops_vm_restore.c \
	src/engine/ops_vm_set.c \
	src/engine/ops_vm_snapshot.c src/engine/ops_vm_snapshot.h \
	src/engine/ops_vm_stats.c \
	src/engine/ops_vm_ssh.c \
	src/engine/ops_vm_table.c \
	src/engine/ops_vm_stop.c \
	src/engine/ops_vm_stream.c \
	src/engine/ops_vm_vmm.c
